"""Plain words for prompts, by their place in a sentence. Data only.

Words so common that nearly every tokenizer has each as one token, with the space before it;
`words` asks the server which of them are.
"""

from __future__ import annotations

LINKS = ("and", "but", "while", "because", "when", "until", "before", "after")
ARTICLES = ("the", "a", "this", "that", "every", "another", "his", "her", "their", "our")
QUALITIES = (
    *("old", "young", "small", "great", "little", "long", "good", "new", "first", "last", "dark"),
    *("white", "black", "green", "red", "blue", "strong", "quiet", "open", "free", "early", "late"),
)
THINGS = (
    *("man", "woman", "child", "friend", "house", "river", "road", "city", "school", "book"),
    *("door", "window", "table", "letter", "water", "fire", "night", "day", "morning", "winter"),
    *("summer", "world", "story", "song", "garden", "tree", "bird", "horse", "dog", "ship"),
    *("sea", "mountain", "field", "street", "market", "church", "king", "teacher", "doctor"),
    *("mother", "father", "brother", "sister", "family", "village", "country", "voice", "hand"),
)
DEEDS = (
    *("saw", "found", "lost", "took", "made", "heard", "left", "gave", "kept", "called"),
    *("built", "brought", "carried", "opened", "closed", "watched", "followed", "remembered"),
    *("wanted", "loved", "knew", "told", "wrote", "read", "sold", "moved", "held", "met"),
)
PLACES = ("near", "behind", "under", "over", "beside", "inside", "from", "with", "without", "in")

SENTENCE = (ARTICLES, QUALITIES, THINGS, DEEDS, ARTICLES, THINGS, PLACES, ARTICLES, THINGS, LINKS)
"""What follows what. It ends with a link, so that text cut there asks to be gone on with."""

CANDIDATES = tuple(dict.fromkeys(word for words in SENTENCE for word in words))
