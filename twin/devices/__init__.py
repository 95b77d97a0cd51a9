"""Device models: one file each, one interface (``base.DeviceModel``)."""
