package dev.gatun.cli;

import picocli.CommandLine.Option;

/** How many threads compute. */
final class Threads {

    @Option(names = "--threads", paramLabel = "N", description = "Threads that compute (default: one a core).")
    private Integer count;

    /** To be said before the engine is touched: it reads the number once. */
    void apply() {
        if (count == null) {
            return;
        }
        if (count < 1) {
            throw new UserError("--threads: must be at least 1, is " + count);
        }
        System.setProperty("gatun.threads", count.toString());
    }
}
