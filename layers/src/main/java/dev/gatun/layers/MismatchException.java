package dev.gatun.layers;

/** Tensors of a file are not those a model or optimiser has. The message lists all that differ. */
public final class MismatchException extends IllegalArgumentException {

    private static final long serialVersionUID = 1;

    public MismatchException(String message) {
        super(message);
    }
}
