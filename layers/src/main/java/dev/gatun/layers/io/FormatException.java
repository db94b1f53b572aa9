package dev.gatun.layers.io;

import java.io.IOException;

/** A file is not what its format says. Nothing of it was used. */
public final class FormatException extends IOException {

    private static final long serialVersionUID = 1;

    public FormatException(String message) {
        super(message);
    }
}
