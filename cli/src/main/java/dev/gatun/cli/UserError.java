package dev.gatun.cli;

/** Input that cannot be used. Its message is the one line that is printed; the exit code is 2. */
final class UserError extends RuntimeException {

    private static final long serialVersionUID = 1;

    UserError(String message) {
        super(message);
    }
}
