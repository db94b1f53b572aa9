package dev.gatun.engine;

/** A tensor was used after its scope closed, or scopes were closed out of order. */
public final class ScopeException extends IllegalStateException {

    public ScopeException(String message) {
        super(message);
    }
}
