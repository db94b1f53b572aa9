package dev.gatun.engine;

/** An argument was refused. The message is {@code op: what is wrong} and one line per input. */
public abstract sealed class ArgumentException extends IllegalArgumentException
        permits ShapeException, DTypeException, DeviceException {

    ArgumentException(String message) {
        super(message);
    }

    /** The same refusal with the op and its inputs named. */
    abstract ArgumentException named(String message);
}
