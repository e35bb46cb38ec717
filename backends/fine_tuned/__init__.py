"""Approach 2: a LoRA adapter over the very weights that answer in the raw column."""

from backends.registry import ApproachSpec

SPEC = ApproachSpec(
    id="fine_tuned",
    name="Fine-tuned",
    make="backends.fine_tuned.approach:make",
    subject="the fine-tuned model",
    panel="ui.ask.settings_panel:fine_tuned",
    page="ui.fine_tuned.page:fine_tuned_page",
    warm_up=True,
    writes=True,
    monthly="trained",
    what=(
        "The same weights with a small adapter (LoRA) trained on question/answer pairs of yours. The adapter "
        "is a few megabytes; the base stays untouched and is shared with the raw column."
    ),
    use_when=(
        "for a narrow, stable task with a few hundred good examples: a tone, a format, a fixed body of facts."
        " It answers as fast as the small model and needs no documents at run time."
    ),
    avoid_when="when facts change often (each change means training again) or when answers must cite a source.",
    icon=":material/model_training:",
    colour="orange",
    hex="#c2700a",
)
