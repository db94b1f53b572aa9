package dev.gatun.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The {@code gatun} command. */
@Command(
        name = "gatun",
        mixinStandardHelpOptions = true,
        version = "gatun 0.1.0-SNAPSHOT",
        description = "A tensor engine for the JVM that trains language models.")
public final class Main implements Runnable {

    private Main() {}

    /** Runs the command that {@code args} names; the exit code is 0 for success and 2 for input we cannot use. */
    public static void main(String[] args) {
        System.exit(new CommandLine(new Main()).execute(args));
    }

    /** Without a command there is only the usage to show. */
    @Override
    public void run() {
        CommandLine.usage(this, System.out);
    }
}
