"""What a network wants done to an image first: geometry on the host (uint8), arithmetic on the device."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

from ..data.files import rgb
from ..errors import InputError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
INTERPOLATIONS = ("nearest", "box", "bilinear", "bicubic", "lanczos")


@dataclass(frozen=True)
class Preprocess:
    """One network's preprocessing, as data.

    Attributes
    ----------
    size : int
        Side of the square input, pixels.
    resize : int
        Side before the centre crop, pixels: the shorter one, or both when ``squash``. Equal to ``size``: no crop.
    squash : bool
        Resize both sides to ``resize`` and so change the aspect, instead of only the shorter one.
    interpolation : {"nearest", "box", "bilinear", "bicubic", "lanczos"}
    antialias : bool
        True: Pillow's filters, which grow with the reduction. False: four neighbours of the cubic kernel with a = -0.75
        (OpenCV's INTER_CUBIC), for the AligNet models.
    scale : float
        Factor on the uint8 values, before ``mean`` and ``std``.
    mean, std : tuple of 3 floats
        In the order of ``channels``, on the scaled values.
    channels : {"RGB", "BGR"}
    source : str
        Where these values come from.
    """

    size: int = 224
    resize: int = 256
    squash: bool = False
    interpolation: str = "bilinear"
    antialias: bool = True
    scale: float = 1 / 255
    mean: tuple = IMAGENET_MEAN
    std: tuple = IMAGENET_STD
    channels: str = "RGB"
    source: str = ""

    def __post_init__(self):
        if self.interpolation not in INTERPOLATIONS:
            raise InputError(
                f"'{self.interpolation}' is not known", "interpolation", f"choose {', '.join(INTERPOLATIONS)}"
            )
        if self.resize < self.size:
            raise InputError(f"resize {self.resize} is below the crop {self.size}", "preprocessing", "crop less")

    def describe(self) -> dict:
        """Plain values for a side-car."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    def geometry(self, image) -> np.ndarray:
        """Resize and crop.

        Parameters
        ----------
        image : PIL image, or uint8 array (h, w, 3)

        Returns
        -------
        uint8 array (size, size, 3)
        """
        if isinstance(image, np.ndarray):
            if image.shape == (self.size, self.size, 3) and self.resize == self.size:
                return image
            if not self.antialias:
                return self._crop(self._cubic(image))
            from PIL import Image

            image = Image.fromarray(image)
        elif not self.antialias:
            return self._crop(self._cubic(np.asarray(rgb(image))))
        from PIL import Image

        image = rgb(image)
        width, height = image.size
        target = self._target(height, width)
        if (height, width) != target:
            image = image.resize(target[::-1], getattr(Image.Resampling, self.interpolation.upper()))
        return self._crop(np.asarray(image))

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if self.squash:
            return self.resize, self.resize
        if height <= width:
            return self.resize, int(self.resize * width / height)
        return int(self.resize * height / width), self.resize

    def _crop(self, pixels: np.ndarray) -> np.ndarray:
        top = round((pixels.shape[0] - self.size) / 2)
        left = round((pixels.shape[1] - self.size) / 2)
        return pixels[top : top + self.size, left : left + self.size]

    def _cubic(self, pixels: np.ndarray) -> np.ndarray:
        import torch

        size = self._target(*pixels.shape[:2])
        x = torch.from_numpy(np.array(pixels, np.float32)).permute(2, 0, 1)[None]
        x = torch.nn.functional.interpolate(x, size=size, mode="bicubic", align_corners=False, antialias=False)
        return x[0].permute(1, 2, 0).round_().clamp_(0, 255).to(torch.uint8).numpy()

    def arithmetic(self, batch):
        """Scale and standardise on the device.

        Parameters
        ----------
        batch : uint8 tensor (n, size, size, 3), RGB

        Returns
        -------
        float32 tensor (n, 3, size, size)
        """
        import torch

        if self.channels == "BGR":
            batch = batch.flip(-1)
        x = batch.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        mean = torch.tensor(self.mean, device=x.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=x.device).view(1, 3, 1, 1)
        return x.mul_(self.scale).sub_(mean).div_(std)

    def __call__(self, image):
        """One image (PIL or uint8 array) -> float32 tensor (3, size, size)."""
        import torch

        return self.arithmetic(torch.from_numpy(np.array(self.geometry(image)))[None])[0]

    def with_(self, **changes) -> Preprocess:
        """A copy with other values."""
        return replace(self, **changes)


def of_torchvision(weights) -> Preprocess:
    """Preprocessing of a torchvision weights entry (``ResNet50_Weights.IMAGENET1K_V2``)."""
    t = weights.transforms()
    return Preprocess(
        size=t.crop_size[0],
        resize=t.resize_size[0],
        interpolation=t.interpolation.value,
        mean=tuple(t.mean),
        std=tuple(t.std),
        source=f"torchvision {weights}",
    )


def of_timm(module) -> Preprocess:
    """Preprocessing that timm's configuration of a model asks for (evaluation mode)."""
    import math

    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(module)
    size = int(config["input_size"][-1])
    given = getattr(getattr(module, "patch_embed", None), "img_size", None)
    if given is not None and getattr(module.patch_embed, "strict_img_size", False):
        size = int(given[-1])  # built for another input than the weights' own
    if config["crop_mode"] not in ("center", "squash"):
        raise InputError(f"crop mode '{config['crop_mode']}' is not supported", "timm", "choose another network")
    name = (getattr(module, "pretrained_cfg", None) or {}).get("architecture", "")
    return Preprocess(
        size=size,
        resize=math.floor(size / config["crop_pct"]),
        squash=config["crop_mode"] == "squash",
        interpolation=config["interpolation"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        source=f"timm {name}",
    )


def of_open_clip(visual, name: str) -> Preprocess:
    """Preprocessing of an open_clip image tower."""
    from open_clip import get_model_preprocess_cfg

    class _Holder:  # the function wants the whole model, of which only the tower is kept
        def __init__(self):
            self.visual = visual

    config = get_model_preprocess_cfg(_Holder())
    size = config["size"] if isinstance(config["size"], int) else config["size"][-1]
    if config.get("resize_mode", "shortest") not in ("shortest", "squash"):
        raise InputError(f"resize mode '{config['resize_mode']}' is not supported", name, "choose another network")
    return Preprocess(
        size=size,
        resize=size,
        squash=config.get("resize_mode") == "squash",
        interpolation=config.get("interpolation", "bicubic"),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        source=f"open_clip {name}",
    )


def efficientnet_lite(side: int) -> Preprocess:
    """Preprocessing of EfficientNet-Lite, for ``side`` pixels: the whole picture where it is a square."""
    return Preprocess(
        size=side,
        resize=side,
        interpolation="bicubic",
        scale=1.0,
        mean=(127.0,) * 3,
        std=(128.0,) * 3,
        source=f"EfficientNet-Lite: shorter side to {side} px, (pixel - 127) / 128",
    )


CAFFE_SQUEEZENET = Preprocess(
    size=227,
    resize=227,
    squash=True,
    interpolation="bilinear",
    scale=1.0,
    mean=(104.0, 117.0, 123.0),
    std=(1.0, 1.0, 1.0),
    channels="BGR",
    source="Caffe SqueezeNet 1.0 (227 px, BGR, 0-255, minus 104, 117, 123)",
)

THINGSVISION = Preprocess(
    source="paper 1: shorter side 256, centre crop 224, ImageNet mean and deviation (thingsvision)"
)
ALIGNET = Preprocess(
    size=224,
    resize=224,
    squash=True,
    interpolation="bicubic",
    antialias=False,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    source="paper 2: OpenCV cubic resize to 224 x 224, values in [0, 1]",
)
NAMED = {"paper1": THINGSVISION, "alignet": ALIGNET, "caffe-squeezenet": CAFFE_SQUEEZENET}


def chosen(name: str | Preprocess | None, networks_own: Preprocess) -> Preprocess:
    """The preprocessing called ``name``; None or "own" is the network's own.

    "paper1" keeps the network's mean and deviation and takes paper 1's geometry where both are 224 pixels wide; for
    other widths it is paper 1's preprocessing as it stands. "alignet" takes the network's width.
    """
    if name is None or name == "own":
        return networks_own
    if isinstance(name, Preprocess):
        return name
    if name not in NAMED:
        raise InputError(f"'{name}' is not known", "preprocess", f"choose own, {', '.join(NAMED)}")
    if name == "paper1":
        if networks_own.size == 224:
            return networks_own.with_(resize=256, squash=False, source=THINGSVISION.source)
        return THINGSVISION
    if NAMED[name].size != networks_own.size and name == "alignet":
        return ALIGNET.with_(size=networks_own.size, resize=networks_own.size)
    return NAMED[name]
