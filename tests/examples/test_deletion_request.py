"""The example writes folders that ``apply`` reads as the very data of the task."""

from diffusers import DDPMPipeline

from examples.deletion_request import write_request
from unlearn_gym.applying.cases.request import read_request
from unlearn_gym.applying.settings import Sources
from unlearn_gym.data.readers.pixels import PixelFormat


def test_the_folders_are_the_request_of_the_task(tmp_path, digits_task):
    write_request(tmp_path)
    assert DDPMPipeline.from_pretrained(tmp_path / "checkpoint").unet.config.num_class_embeds == 10
    sources = Sources(tmp_path / "checkpoint", tmp_path / "keep", tmp_path / "forget")
    data = read_request(sources, PixelFormat(1, 8, 8, exact=True), 10, seed=0)
    counts = [len(data.retain), len(data.retain_holdout), len(data.forget)]
    assert counts == [1452, 76, 90] and sum(counts[:2]) == len(digits_task.data.retain)
    assert data.forget.labels.unique().tolist() == [1] and data.retain.labels.unique().tolist() == list(
        range(10)
    )
