"""Approach 4, retrieval: documents -> chunks -> Chroma -> search -> prompt -> engine."""

from backends.registry import ApproachSpec

SPEC = ApproachSpec(
    id="rag",
    name="RAG",
    make="backends.rag.approach:make",
    panel="ui.ask.settings_panel:rag",
    page="ui.rag.page:rag_page",
    warm_up=True,
    monthly="documents",
    what=(
        "Retrieval-augmented generation: your documents are searched for passages close to the question, and "
        "the model answers from those passages, which are shown."
    ),
    use_when=(
        "when answers live in documents that change, and people must be able to check where a sentence comes from."
    ),
    avoid_when=(
        "when there are no documents to search, or the answer needs a whole document rather than a few passages."
    ),
    icon=":material/menu_book:",
    colour="green",
    hex="#16825d",
)
