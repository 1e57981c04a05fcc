"""The fonts the pictures are set in, from Debian's and npm's packages; a few are kept for the evaluation only."""

import functools
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageFont

DIRECTORY = Path("/usr/share/fonts")
NOWHERE = "\U0010fffd"  # a character that no face has


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a font file; collections (.ttc) hold several, told apart by `index`."""

    path: str
    index: int = 0


LATIN = (
    Face("truetype/dejavu/DejaVuSans.ttf"),
    Face("truetype/liberation2/LiberationSans-Regular.ttf"),
    Face("truetype/liberation2/LiberationSans-Bold.ttf"),
    Face("truetype/open-sans/OpenSans-Regular.ttf"),
    Face("truetype/lato/Lato-Regular.ttf"),
    Face("truetype/roboto/unhinted/RobotoTTF/Roboto-Regular.ttf"),
    Face("truetype/dejavu/DejaVuSans-Bold.ttf"),
    Face("truetype/open-sans/OpenSans-Bold.ttf"),
    Face("truetype/lato/Lato-Bold.ttf"),
    Face("truetype/roboto/unhinted/RobotoTTF/Roboto-Bold.ttf"),
    Face("truetype/roboto/unhinted/RobotoTTF/Roboto-Light.ttf"),
    Face("truetype/crosextra/Carlito-Regular.ttf"),
    Face("opentype/inter/Inter-Regular.otf"),
    Face("opentype/cantarell/Cantarell-Regular.otf"),
    Face("truetype/paratype/PTS55F.ttf"),
    Face("truetype/paratype/PTN57F.ttf"),
    Face("truetype/clear-sans/ClearSans-Regular.ttf"),
    Face("truetype/karla/Karla-Regular.otf"),
    Face("truetype/oxygen/Oxygen-Sans.ttf"),
    Face("truetype/clear-sans/ClearSans-Medium.ttf"),
    Face("opentype/inter/Inter-Medium.otf"),
    Face("truetype/paratype/PTS75F.ttf"),
    Face("truetype/dejavu/DejaVuSansCondensed.ttf"),
    Face("truetype/roboto/unhinted/RobotoCondensed-Regular.ttf"),
    Face("opentype/cantarell/Cantarell-Bold.otf"),
    Face("truetype/liberation2/LiberationMono-Regular.ttf"),
    Face("truetype/liberation2/LiberationSerif-Regular.ttf"),
    Face("truetype/noto/NotoSans-Regular.ttf"),
    Face("truetype/noto/NotoSans-Bold.ttf"),
    Face("truetype/noto/NotoSansDisplay-Regular.ttf"),
    Face("fonts-go/Go-Regular.ttf"),
    Face("fonts-go/Go-Medium.ttf"),
    Face("opentype/b612/B612-Regular.otf"),
    Face("opentype/sora/Sora-Regular.otf"),
    Face("truetype/manrope/Manrope-Medium.ttf"),
    Face("opentype/cabin/Cabin-Regular.otf"),
    Face("opentype/cabin/Cabin-SemiBold.otf"),
    Face("truetype/hack/Hack-Regular.ttf"),
    Face("truetype/andika/Andika-Regular.ttf"),
    Face("truetype/play/Play-Regular.ttf"),
    Face("truetype/quicksand/Quicksand-Medium.ttf"),
    Face("opentype/dosis/Dosis-Medium.otf"),
    Face("opentype/junction/Junction.otf"),
    Face("truetype/noto/NotoSerif-Regular.ttf"),
    Face("truetype/crosextra/Caladea-Regular.ttf"),
)
# Of the Noto collections, index 2 is the Simplified Chinese face, index 0 the Japanese one.
CHINESE = (
    Face("opentype/noto/NotoSansCJK-Regular.ttc", 2),
    Face("opentype/noto/NotoSansCJK-Bold.ttc", 2),
    Face("opentype/noto/NotoSansCJK-Regular.ttc"),
    Face("truetype/wqy/wqy-microhei.ttc"),
    Face("truetype/droid/DroidSansFallbackFull.ttf"),
    Face("opentype/ipafont-gothic/ipagp.ttf"),
    Face("truetype/vlgothic/VL-PGothic-Regular.ttf"),
    Face("truetype/sawarabi-gothic/sawarabi-gothic-medium.ttf"),
    Face("truetype/bizud-gothic/BIZUDPGothic-Regular.ttf"),
    Face("truetype/smiley-sans/SmileySans-Oblique.ttf"),
    Face("truetype/arphic-gbsn00lp/gbsn00lp.ttf"),
    Face("truetype/lxgw-wenkai/LXGWWenKai-Regular.ttf"),
    Face("truetype/lxgw-wenkai/LXGWWenKai-Bold.ttf"),
    Face("opentype/noto/NotoSansCJK-Light.ttc", 2),
    Face("opentype/noto/NotoSansCJK-DemiLight.ttc", 2),
    Face("opentype/noto/NotoSansCJK-Medium.ttc", 2),
    Face("opentype/noto/NotoSerifCJK-Regular.ttc", 2),
    Face("opentype/noto/NotoSerifCJK-Bold.ttc", 2),
    Face("truetype/arphic/uming.ttc"),
    Face("truetype/arphic/ukai.ttc"),
    Face("truetype/horai-umefont/ume-pgo4.ttf"),
    Face("truetype/horai-umefont/ume-hgo4.ttf"),
    Face("opentype/mplus/Mplus1-Regular.otf"),
    Face("truetype/motoya-l-cedar/MTLc3m.ttf"),
    Face("opentype/fandol/FandolHei-Regular.otf"),
    Face("opentype/fandol/FandolHei-Bold.otf"),
    Face("opentype/fandol/FandolSong-Regular.otf"),
    Face("opentype/fandol/FandolSong-Bold.otf"),
    Face("opentype/fandol/FandolFang-Regular.otf"),
    Face("opentype/fandol/FandolKai-Regular.otf"),
    Face("npm/IBMPlexSansSC-Light.woff"),
    Face("npm/IBMPlexSansSC-Regular.woff"),
    Face("npm/IBMPlexSansSC-Medium.woff"),
    Face("npm/IBMPlexSansSC-SemiBold.woff"),
    Face("npm/HarmonyOS_Sans_SC_Light.ttf"),
    Face("npm/HarmonyOS_Sans_SC_Regular.ttf"),
    Face("npm/HarmonyOS_Sans_SC_Medium.ttf"),
    Face("npm/HarmonyOS_Sans_SC_Bold.ttf"),
    Face("npm/ZCOOLQingKeHuangYou_400Regular.ttf"),
    Face("npm/ZCOOLKuaiLe_400Regular.ttf"),
    Face("npm/ZCOOLXiaoWei_400Regular.ttf"),
)
SPARES = CHINESE[0], CHINESE[3]  # have what others lack: Latin letters, or the characters that only Chinese writes
HELD_OUT_LATIN = (
    Face("truetype/open-sans/OpenSans-Semibold.ttf"),
    Face("truetype/freefont/FreeSans.ttf"),
    Face("truetype/lato/Lato-Medium.ttf"),
    Face("truetype/roboto/unhinted/RobotoTTF/Roboto-Medium.ttf"),
)
HELD_OUT_CHINESE = (Face("truetype/wqy/wqy-zenhei.ttc"),)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The faces a picture may be set in. Text with any Chinese in it is set in a Chinese face throughout."""

    latin: Sequence[Face]
    chinese: Sequence[Face]

    def pick(self, rng: random.Random, chinese: bool) -> Face:
        # Chinese faces also carry Latin letters, and screenshots use them so.
        return rng.choice(self.chinese if chinese or rng.random() < 0.15 else self.latin)


TRAINING = Shelf(LATIN, CHINESE)
HELD_OUT = Shelf(HELD_OUT_LATIN, HELD_OUT_CHINESE)


@functools.lru_cache(maxsize=4096)
def load(face: Face, size: int) -> ImageFont.FreeTypeFont:
    """The face at `size` pixels per em, without ligatures, so that every character has its own advance."""
    return ImageFont.truetype(str(DIRECTORY / face.path), size, face.index, layout_engine=ImageFont.Layout.BASIC)


@functools.lru_cache(maxsize=200_000)
def has(face: Face, character: str) -> bool:
    """Whether the face draws this character itself and no empty box."""
    font = load(face, 16)
    return character.isspace() or bytes(font.getmask(character)) not in (b"", bytes(font.getmask(NOWHERE)))


def runs(face: Face, text: str) -> Iterator[tuple[Face, str]]:
    """The text in pieces of one face each, as every system sets a text whose font lacks some characters."""
    spare = SPARES[len(face.path) % 2]  # always the same for a face, and not the same for all
    for known, characters in itertools.groupby(text, lambda character: has(face, character)):
        yield face if known else spare, "".join(characters)
