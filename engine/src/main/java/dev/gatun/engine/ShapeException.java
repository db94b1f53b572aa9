package dev.gatun.engine;

/** Sizes that do not fit. */
public final class ShapeException extends ArgumentException {

    public ShapeException(String message) {
        super(message);
    }

    @Override
    ArgumentException named(String message) {
        return new ShapeException(message);
    }
}
