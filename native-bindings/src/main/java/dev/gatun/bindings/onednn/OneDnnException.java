package dev.gatun.bindings.onednn;

/** oneDNN refused a call. */
public final class OneDnnException extends RuntimeException {

    private final int status;
    private final String function;

    OneDnnException(String function, int status, String text) {
        super("onednn: " + function + ": " + text + " (" + status + ")");
        this.status = status;
        this.function = function;
    }

    /** The library's number for what went wrong. */
    public int status() {
        return status;
    }

    /** The function that was called. */
    public String function() {
        return function;
    }
}
