"""The layers of Qwen-Image's denoiser, which the models for editing have too."""

TABLE = {
    "table": "layer_groups",
    "name": "qwen_image_blocks",
    "groups": {
        "attention": [r"re:.*\.attn\.(to_(q|k|v|out\.0|add_out)|add_(q|k|v)_proj)$"],
        "text_key_value": [r"re:.*\.attn\.add_(k|v)_proj$"],
        "mlp": [r"re:.*\.(img|txt)_mlp\.net\.(0\.proj|2)$"],
        "norm": [r"re:.*norm_(added_)?[qk]$", r"re:.*(img|txt)_mod\.1$", r"re:norm_out\.linear$", "txt_norm"],
        "embedding": [r"re:time_text_embed\..*linear_[12]$", "img_in", "txt_in"],
    },
}
"""QwenImageTransformer2DModel."""
