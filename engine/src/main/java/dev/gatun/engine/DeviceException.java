package dev.gatun.engine;

/** Tensors on different devices, or a device that is not there. */
public final class DeviceException extends ArgumentException {

    public DeviceException(String message) {
        super(message);
    }

    @Override
    ArgumentException named(String message) {
        return new DeviceException(message);
    }
}
