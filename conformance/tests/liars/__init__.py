"""Servers that are wrong in exactly one way, each with the check that has to catch it."""

from __future__ import annotations

from .accounting import EDGES, USAGE
from .always import ALWAYS
from .answers import ANSWERS
from .at_once import AT_ONCE
from .beside_fields import BESIDE_FIELDS
from .both import BOTH
from .clients import CLIENTS
from .corners import CORNERS
from .crowds import ARRIVAL, CONCURRENCY, RESIDENCY
from .doors import DOORS
from .embedders import EMBEDDERS
from .embeddings import EMBEDDINGS
from .format import FORMAT
from .fuzz import FUZZ
from .fuzz_models import FUZZ_MODELS
from .given_back import GIVEN_BACK
from .guards import SAFETY
from .keeping import KEEPING
from .lenient import LENIENT
from .liar import Liar
from .lodgers import LODGERS
from .nearby import NEARBY
from .no_trace import NO_TRACE
from .of_the_model import OF_THE_MODEL
from .options import OPTIONS
from .order import ORDER
from .other_words import OTHER_WORDS
from .overlooked import OVERLOOKED
from .own_turns import OWN_TURNS
from .parameters import PARAMETER
from .parsing import LOGPROBS, THINKING, TOOLS
from .pulls import PULLS
from .pushes import PUSHES
from .registries import LIMITS
from .replaced import REPLACED
from .reported import REPORTED, WILD
from .sentences import SENTENCES
from .shelves import MADE, NAMES, SHOWN
from .speech import SPEECH
from .spellings import SPELLINGS
from .store import CREATE, LIFECYCLE, MANAGE
from .streams import STREAMING
from .talk import CONTEXT, TALKING
from .templates import TEMPLATES
from .thresholds import THRESHOLDS
from .unseen import UNSEEN
from .vision import VISION
from .waiting import WAITING
from .weights import WEIGHTS
from .wire import ERRORS, HTTP

LIARS: list[Liar] = [
    *LENIENT,
    *NEARBY,
    *EMBEDDINGS,
    *EMBEDDERS,
    *VISION,
    *HTTP,
    *ERRORS,
    *STREAMING,
    *TALKING,
    *OF_THE_MODEL,
    *NO_TRACE,
    *GIVEN_BACK,
    *OTHER_WORDS,
    *AT_ONCE,
    *OVERLOOKED,
    *OWN_TURNS,
    *OPTIONS,
    *PARAMETER,
    *USAGE,
    *EDGES,
    *FUZZ,
    *FUZZ_MODELS,
    *CONTEXT,
    *THINKING,
    *TOOLS,
    *LOGPROBS,
    *FORMAT,
    *LIFECYCLE,
    *MANAGE,
    *CREATE,
    *PULLS,
    *PUSHES,
    *ARRIVAL,
    *CONCURRENCY,
    *RESIDENCY,
    *SAFETY,
    *SPEECH,
    *NAMES,
    *SHOWN,
    *MADE,
    *ORDER,
    *CLIENTS,
    *TEMPLATES,
    *CORNERS,
    *LIMITS,
    *WAITING,
    *WEIGHTS,
    *BOTH,
    *DOORS,
    *KEEPING,
    *ANSWERS,
    *SENTENCES,
    *UNSEEN,
    *ALWAYS,
    *REPLACED,
    *REPORTED,
    *WILD,
    *SPELLINGS,
    *THRESHOLDS,
    *BESIDE_FIELDS,
    *LODGERS,
]
