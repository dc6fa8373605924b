import numpy as np
import pytest
from PIL import Image

from eqlib.errors import InputError
from eqlib.suites.images import looks_whole, open_image, require_images

RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10


def test_png_is_exact_and_npy_is_bgr(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", RGB[:, :, ::-1])  # as OpenCV would hold the same picture
    assert np.array_equal(np.asarray(open_image(tmp_path / "a.png")), RGB)
    assert np.array_equal(np.asarray(open_image(tmp_path / "a.npy")), RGB)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_other_modes_become_rgb(tmp_path, mode):
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.fromarray(RGB).convert(mode).save(path)
    assert (open_image(path).mode, open_image(path).size) == ("RGB", (3, 2))


@pytest.mark.parametrize("suffix", ["png", "jpg", "npy"])
@pytest.mark.parametrize("keep", [0, 5, 0.5, -3])
def test_damaged_files_are_named(tmp_path, suffix, keep):
    path = tmp_path / f"a.{suffix}"
    big = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    np.save(path, big) if suffix == "npy" else Image.fromarray(big).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep) if isinstance(keep, float) else keep])
    if suffix == "npy" or keep != -3:  # Pillow shows a picture whose pixels are there and whose end mark is not
        with pytest.raises(InputError, match="quad 3") as caught:
            open_image(path, row="quad 3")
        assert caught.value.where == path
    assert not looks_whole(path)


def test_no_pickle_is_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="not pickled"):
        open_image(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", RGB.astype(np.float32))
    with pytest.raises(InputError, match=r"uint8 \(height, width, 3\) in BGR, got float32"):
        open_image(tmp_path / "b.npy")


def test_require_images_names_the_first_and_lets_trailing_bytes_pass(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.jpg")
    with (tmp_path / "a.jpg").open("ab") as file:
        file.write(b"appended by a camera")
    assert not looks_whole(tmp_path / "a.jpg")
    require_images(tmp_path, {"a.jpg": "quad 0"})
    with pytest.raises(InputError, match=r"b\.jpg, quad 1: expected an image file, got nothing there"):
        require_images(tmp_path, {"a.jpg": "quad 0", "b.jpg": "quad 1"})
