package dev.gatun.cli;

import dev.gatun.engine.ArgumentException;
import dev.gatun.layers.MismatchException;
import dev.gatun.layers.io.FormatException;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParameterException;

/** The {@code gatun} command. */
@Command(
        name = "gatun",
        mixinStandardHelpOptions = true,
        version = "gatun 0.1.0-SNAPSHOT",
        description = "A tensor engine for the JVM that trains language models.",
        subcommands = {
            TrainCommand.class,
            GenerateCommand.class,
            CompareCommand.class,
            ExplainCommand.class,
            GoldenCommand.class,
            GradcheckCommand.class,
            BenchCommand.class,
            DoctorCommand.class,
            GpuSelftestCommand.class
        })
public final class Main implements Runnable {

    /** Input that cannot be used. */
    private static final int REFUSED = 2;

    /** Something went wrong on the way. */
    private static final int FAILED = 1;

    private Main() {}

    /** Runs the command that {@code args} names; the exit code is 0 for success and 2 for input that cannot be used. */
    public static void main(String[] args) {
        System.exit(execute(System.err, args));
    }

    /** The exit code; what is wrong is one line on {@code err}. */
    static int execute(PrintStream err, String... args) {
        CommandLine command = new CommandLine(new Main());
        command.setParameterExceptionHandler((e, given) -> refuse(err, e.getCommandLine(), e));
        command.setExecutionExceptionHandler((e, at, result) -> {
            String name = at.getCommandSpec().qualifiedName(" ");
            switch (e) {
                case UserError _, ArgumentException _, MismatchException _, FormatException _ -> {
                    err.println(name + ": " + e.getMessage());
                    return REFUSED;
                }
                case UncheckedIOException io -> err.println(name + ": " + describe(io.getCause()));
                case IOException io -> err.println(name + ": " + describe(io));
                default -> e.printStackTrace(err);
            }
            return FAILED;
        });
        return command.execute(args);
    }

    private static int refuse(PrintStream err, CommandLine at, ParameterException e) {
        String name = at.getCommandSpec().qualifiedName(" ");
        err.println(name + ": " + e.getMessage() + "; " + name + " --help tells more");
        return REFUSED;
    }

    // The message of a file system's exception is often the file alone.
    private static String describe(IOException e) {
        if (e instanceof FileSystemException file) {
            String reason = file.getReason() == null ? e.getClass().getSimpleName() : file.getReason();
            return file.getFile() + ": " + reason;
        }
        return e.getMessage();
    }

    /** Without a command there is only the usage to show. */
    @Override
    public void run() {
        CommandLine.usage(this, System.out);
    }
}
