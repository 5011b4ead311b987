"""Film an unlearning run: samples of the model beside the curves of λ, losses and gradient norms. Half a minute.

    python examples/libraries/record_video.py --output unlearning.gif     # Pillow, which is there
    python examples/libraries/record_video.py --output videos             # Gymnasium's RecordVideo: an mp4 in a folder

RecordVideo needs ``pip install moviepy``. Every frame draws samples of the model anew, on the same noise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gymnasium as gym
from gymnasium.wrappers import RecordVideo
from PIL import Image

import unlearn_gym  # registers the environments


def main() -> None:
    """Run an agent and write what ``render`` shows after every update."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="unlearn_gym/Posterior-Digits-v0")
    parser.add_argument(
        "--agent", default="static:0.5", help="a name or a run folder, as for unlearn-gym evaluate"
    )
    parser.add_argument("--updates", type=int, default=40)
    parser.add_argument(
        "--output", type=Path, default=Path("unlearning.gif"), help="a .gif, or a folder for an .mp4"
    )
    chosen = parser.parse_args()

    as_gif = chosen.output.suffix == ".gif"
    env = gym.make(chosen.env, horizon=chosen.updates, render_mode="rgb_array")
    if not as_gif:
        env = RecordVideo(env, str(chosen.output), episode_trigger=lambda episode: True, fps=8)
    agent = unlearn_gym.agents.resolve(chosen.agent, env)

    state, _ = env.reset(seed=0)
    frames, done = [env.render()] if as_gif else [], False
    while not done:
        action, _ = agent.predict(state, deterministic=True)
        state, _, done, _, _ = env.step(action)  # RecordVideo films here
        if as_gif:
            frames.append(env.render())
    env.close()  # and writes here

    if as_gif:
        first, *others = (Image.fromarray(frame).quantize(64) for frame in frames)
        chosen.output.parent.mkdir(parents=True, exist_ok=True)
        first.save(chosen.output, save_all=True, append_images=others, duration=125, loop=0)
    written = [chosen.output] if as_gif else sorted(chosen.output.glob("*.mp4"))
    for path in written:
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
