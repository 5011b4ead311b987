"""How the two gradients of a minibatch are computed: a reference, and accelerators that return its numbers.

A minibatch has 2B latents (B retain, B forget), each with an error towards the retain target and one towards the
forget target. The state needs the plain gradient of each side, the update those with the row weights of the objective
(``objectives.base``). All ways are exact; what is saved is repetition.

======================  ===============================================  =========================================
module                  how                                              when ``gradients="auto"`` chooses it
======================  ===============================================  =========================================
``direct``              a forward and a backward pass for each gradient  never; ask for ``gradients="direct"``
``per_example``         one pass leaves the layers' inputs and output    known layers that put out little for a row:
                        gradients; any row weights are read from them    launches cost more than arithmetic
``few_rows``            each row's own error alone, then those that     known layers of at least two weights for each
                        deviate; no sums kept, no row that is spare      number that they put out for a row
``blocks``              sums kept apart by what the last λ chose, and a  known layers that put out more, under an
                        record of each side for rows that deviate        objective whose row weights depend on λ
``passes``              the same sums; rows that deviate pass again      every other network
======================  ===============================================  =========================================

Per step and batch of B rows, one pass being forward and backward, ``direct`` takes four (two for the state, two for
the update), the others between two and three. ``choice`` holds the rule, which looks at layers, shapes and the
objective, never at a clock; ``trial`` tries an accelerator on four rows before it is relied on; ``base`` says what all
of them are asked for. Every accelerator is tested against ``direct`` under every objective and state.
"""
