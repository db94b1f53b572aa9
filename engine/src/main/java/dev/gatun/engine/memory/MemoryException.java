package dev.gatun.engine.memory;

/** No off-heap memory could be had: the limit, or the system, said no. Nothing was lost. */
public final class MemoryException extends RuntimeException {

    public MemoryException(String message, Throwable cause) {
        super(message, cause);
    }
}
