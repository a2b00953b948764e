"""What is particular to a model family: classes, prompts, latents, schedule, file keys.

A family is one module with a `FAMILY` object and a `TABLE`, in this folder or in any other pack. To add one:

1. Write `families/NAME.py`. With a UNet, CLIP's text networks and an AutoencoderKL it is a subclass of
   `unet_family.UNetFamily` that says the sizes of the released model (`sizes`), its text networks (`texts`), the
   prefixes in adapter files and the names that headers use; `embed` where embeddings are not the last layer's, and
   `extra_conditions` where the network reads more than noise, time and text. Any other network: an object of
   the protocol `base.Family`.
2. Say in its `TABLE` how it is called, by which marks its folders and files are known, and what else nodes ask before
   anything is imported: `table.py` lists it. Nothing else names a family.
"""
