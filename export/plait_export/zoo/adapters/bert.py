"""BERT, RoBERTa and DistilBERT: what a text is, or the embedding of its first token (Devlin et al.,
2019)."""

from __future__ import annotations

from torch import Tensor, nn

from plait_export.describe import Deployment
from plait_export.zoo.adapters.library import text_input
from plait_export.zoo.adapters.parts import FirstToken, Pooled
from plait_export.zoo.adapters.single import classifier, embedder, pooled, require_pooler
from plait_export.zoo.adapters.source import Source, positions


class OnSequence(nn.Module):
    """A classifier that takes the first token out of a sequence by itself, given that token."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, token: Tensor) -> Tensor:
        logits: Tensor = self.classifier(token[:, None])
        return logits


def embedding(source: Source, name: str) -> Deployment:
    """BertModel, RobertaModel, XLMRobertaModel, with their poolers."""
    require_pooler(
        source.model, "sentence-transformers says how tokens are pooled: export its folder."
    )
    text = source.text(
        Pooled(source.model, "input_ids"), mask=True, longest=positions(source.config)
    )
    prepare = text_input(source.tokenizer, text.tokens)
    return embedder(source, name, {"text": text}, prepare, answer=pooled)


def bert_classification(source: Source, name: str) -> Deployment:
    """BertForSequenceClassification, whose tower pools."""
    tower = source.model.bert
    text = source.text(Pooled(tower, "input_ids"), mask=True, longest=positions(source.config))
    prepare = text_input(source.tokenizer, text.tokens)
    head = source.model.classifier
    return classifier(source, name, {"text": text}, prepare, head=head, tower=tower)


def roberta_classification(source: Source, name: str) -> Deployment:
    """RobertaForSequenceClassification, XLMRobertaForSequenceClassification."""
    return _first_token(source, name, OnSequence(source.model.classifier))


def distilbert_classification(source: Source, name: str) -> Deployment:
    """DistilBertForSequenceClassification."""
    model = source.model
    return _first_token(
        source, name, nn.Sequential(model.pre_classifier, nn.ReLU(), model.classifier)
    )


def _first_token(source: Source, name: str, head: nn.Module) -> Deployment:
    tower = FirstToken(source.model.base_model, "input_ids")
    text = source.text(tower, mask=True, longest=positions(source.config))
    prepare = text_input(source.tokenizer, text.tokens)
    return classifier(source, name, {"text": text}, prepare, head=head)


ARCHITECTURES = {
    "BertModel": embedding,
    "BertForSequenceClassification": bert_classification,
    "RobertaModel": embedding,
    "RobertaForSequenceClassification": roberta_classification,
    "XLMRobertaModel": embedding,
    "XLMRobertaForSequenceClassification": roberta_classification,
    "DistilBertForSequenceClassification": distilbert_classification,
}
