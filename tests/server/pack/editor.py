"""What the editor shows of the values of this pack."""

from PIL import Image


def swatch(value):
    return Image.new("RGB", (512, 128), (value.red, 100, 50))


PREVIEWS = {"Swatch": swatch}
