"""What a model will take, told from its files, and what it takes."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..engine.device import Device
from ..engine.sequence import EngineSettings, ModelSource
from ..engine.tests import tiny, tiny_bert
from ..footprint import Dimensions, activation_bytes, footprint_of
from ..memory import Footprint


@pytest.fixture(params=["gguf", "safetensors"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> ModelSource:
    """A tiny llama as either kind of file."""
    if request.param == "gguf":
        return ModelSource(tiny.write_gguf(tmp_path / "tiny.gguf", tiny.weights()))
    return ModelSource(None, tiny.write_safetensors(tmp_path, tiny.weights()))


def test_an_estimate_is_what_the_engine_takes(source: ModelSource) -> None:
    """To the byte for KV, within a twentieth for weights: some are padded to whole tiles."""
    from ..engine.engine import Engine

    expected = footprint_of(source, 256)
    engine = Engine.load(source, EngineSettings())
    engine.close()
    assert expected.weights == pytest.approx(engine.footprint.weights, rel=0.05)
    assert expected.kv_bytes_per_token == engine.footprint.kv_bytes_per_token


def test_on_a_gpu_weights_stay_as_they_are(tmp_path: Path) -> None:
    """Elsewhere each becomes a float32."""
    packed = ModelSource(tiny.write_gguf(tmp_path / "m", tiny.weights(), "Q4_0"))
    on_cpu, on_metal, on_cuda = (footprint_of(packed, 256, each) for each in Device)
    assert on_metal.weights < on_cpu.weights / 6
    assert 2 * on_metal.kv_bytes_per_token == on_cpu.kv_bytes_per_token
    assert on_cuda == on_metal


def test_an_embedding_model_keeps_no_kv(tmp_path: Path) -> None:
    """Whatever it has for layers."""
    path = tmp_path / "bert.gguf"
    path.write_bytes(tiny_bert.gguf(tiny_bert.weights()))
    found = footprint_of(ModelSource(path, embeds=True), 256)
    assert found.weights > 0
    assert found.kv_bytes_per_token == 0


def test_a_file_that_cannot_be_read_is_left_to_the_loader(tmp_path: Path) -> None:
    """It says what is wrong."""
    (tmp_path / "m").write_bytes(b"GGUX")
    assert footprint_of(ModelSource(tmp_path / "m"), 256) == Footprint()
    (tmp_path / "config.json").write_text("[]")
    files = {"config.json": tmp_path / "config.json"}
    assert footprint_of(ModelSource(None, files), 256) == Footprint()


def test_longer_windows_take_more_where_scores_are_made() -> None:
    """On a CPU; Metal's fused attention makes none."""
    shape = Dimensions(30, 576, 1536, 9, 3, 64, 49152)
    assert activation_bytes(shape, 8192, Device.CPU) > activation_bytes(shape, 2048, Device.CPU)
    assert activation_bytes(shape, 8192, Device.METAL) == activation_bytes(shape, 4096, Device.CUDA)


_SCENE = """
import asyncio, gc, json, sys
from pathlib import Path
import mlx.core as mx
from server.engine.engine import Engine
from server.engine.sequence import Ask, EngineSettings, ModelSource, Sampling
from server.footprint import footprint_of
from server.memory import Use
from server.pool import Pool, Wanted

def load(source, num_ctx):
    return Engine.load(source, EngineSettings(num_parallel=4, num_ctx=num_ctx))

async def generate(loaded, seed):
    prompt = tuple((seed * 31 + at) % 250 for at in range(100))
    ask = Ask(prompt, Sampling(temperature=0), num_predict=30, num_ctx=256)
    async with loaded.engine.submit(ask) as events:
        async for _ in events:
            pass

async def scene(path):
    mx.set_cache_limit(0)  # else MLX counts the whole of a larger buffer that it uses again
    seen = {"before": mx.get_active_memory()}
    pool = Pool(load, keep_alive_ns=1 << 62, memory_bytes=1 << 30, estimate=footprint_of)
    async with pool.acquire(Wanted("m", "", ModelSource(Path(path)), num_ctx=256)) as loaded:
        account = loaded.account
        def note(name):
            used = account.booked(Use.WEIGHTS) + account.booked(Use.PROMPT_CACHE)
            seen[name] = [used, mx.get_active_memory() - seen["before"], account.total_bytes]
        note("loaded")
        mx.reset_peak_memory()
        await asyncio.gather(*(generate(loaded, seed) for seed in range(6)))
        seen["peak"] = [mx.get_peak_memory() - seen["before"]]
        seen["at most"] = [pool.ledger.booked_bytes]
        while account.booked(Use.KV) > account._window_bytes:
            await asyncio.sleep(0)
        await loaded.engine.give_back(0)  # the last step is over
        note("used")
    await pool.close()
    gc.collect()
    seen["after"], seen["booked"] = mx.get_active_memory(), pool.ledger.booked_bytes
    print(json.dumps(seen))

asyncio.run(scene(sys.argv[1]))
"""


def test_the_ledger_agrees_with_mlx(tmp_path: Path) -> None:
    """Within 2 % and 4 KiB after loading and after use; at the end all but a random key is back.

    In a process of its own: MLX counts for a whole process.
    """
    path = tiny.write_gguf(tmp_path / "tiny.gguf", tiny.weights())
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", _SCENE, str(path)]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)
    for moment in ("loaded", "used"):
        booked, active, total = seen[moment]
        assert active == pytest.approx(booked, rel=0.02, abs=4096), moment
        assert active <= total
    assert seen["peak"] <= seen["at most"]
    assert seen["after"] <= seen["before"] + 8  # the thread, which is used again, keeps its key
    assert seen["booked"] == 0


_LEAVING = """
import sys
from pathlib import Path
from server.engine.engine import Engine
from server.engine.sequence import EngineSettings, ModelSource
engine = Engine.load(ModelSource(Path(sys.argv[1])), EngineSettings())
"""


def test_a_script_may_end_without_closing_its_engine(tmp_path: Path) -> None:
    """Its thread is ended before the interpreter is, which MLX would not survive."""
    path = tiny.write_gguf(tmp_path / "tiny.gguf", tiny.weights())
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", _LEAVING, str(path)]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stderr) == (0, "")


async def test_a_model_too_large_for_the_machine_is_refused_by_the_server(tmp_path: Path) -> None:
    """Before a byte of it is read."""
    from ..errors import ApiError
    from ..pool import Pool, Wanted

    def load(source: ModelSource, num_ctx: int) -> None:
        pytest.fail("it was loaded")

    source = ModelSource(tiny.write_gguf(tmp_path / "m", tiny.weights()))
    pool = Pool(load, keep_alive_ns=0, memory_bytes=100_000, estimate=footprint_of)  # type: ignore[arg-type]
    with pytest.raises(ApiError, match=r"^model requires more system memory \(2\.\d MiB\) than"):
        async with asyncio.timeout(10), pool.acquire(Wanted("m", "", source, num_ctx=256)):
            pass
