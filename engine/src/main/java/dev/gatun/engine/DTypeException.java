package dev.gatun.engine;

/** An element type that an op does not take. */
public final class DTypeException extends ArgumentException {

    public DTypeException(String message) {
        super(message);
    }

    @Override
    ArgumentException named(String message) {
        return new DTypeException(message);
    }
}
