package dev.gatun.cli;

import dev.gatun.bench.layers.Scaling;
import dev.gatun.bench.suite.Report;
import dev.gatun.bench.suite.Suite;
import dev.gatun.engine.Parallel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Unmatched;

/**
 * Times every op and layer beside its peers, or runs JMH benchmarks of one's own choice. The mean of every fork is shown, because
 * forks differ more than iterations do.
 */
@Command(
        name = "bench",
        description = "Times every op and layer: our own kernels, oneDNN where it is found, libtorch with --torch. With a pattern of names "
                + "or any option of JMH (-f 1 for one fork, -l for a list, -h for all) it runs those JMH benchmarks instead.")
final class BenchCommand implements Callable<Integer> {

    /** Lengths to show a line by; softmax attention, whose cost is quadratic, takes most of the time. */
    private static final long[] LENGTHS = {256, 1024, 4096, 16_384, 65_536};

    @Option(names = "--help", usageHelp = true, description = "Shows this and ends.")
    private boolean help;

    @Option(names = "--torch", description = "Compares with libtorch, too; the launcher fetches it (110 MB).")
    private boolean torch;

    @Option(names = "--quick", description = "A look in under five minutes: rows of all groups in turn, until the time is over.")
    private boolean quick;

    @Option(names = "--filter", paramLabel = "REGEX", description = "Only rows whose group/name has this in it.")
    private Pattern filter;

    @Option(names = "--json", paramLabel = "FILE", description = "Writes everything that was measured.")
    private Path json;

    @Option(names = "--html", paramLabel = "FILE", description = "Writes the table and its charts as a page (default: ${DEFAULT-VALUE}).")
    private Path html = Path.of("runs", "bench.html");

    @Option(names = "--preload", paramLabel = "LIB",
            description = "With --torch: times libtorch once more with this library preloaded, in a column of its own.")
    private Path preload;

    @Mixin
    private final Threads threads = new Threads();

    @Option(names = "--scaling", paramLabel = "DIR",
            description = "Instead of benchmarks: how the cost of every layer grows up to 65536 tokens, into scaling.csv and scaling.html.")
    private Path scaling;

    @Unmatched
    private final List<String> jmh = new ArrayList<>();

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (scaling != null) {
            scale();
            return 0;
        }
        if (jmh.isEmpty()) {
            return suite();
        }
        try {
            jmh.addAll(List.of("-e", "[.]suite[.]"));
            if (!torch) {
                jmh.addAll(List.of("-e", "[.]layers[.]"));
            }
            CommandLineOptions options = new CommandLineOptions(jmh.toArray(String[]::new));
            if (options.shouldHelp()) {
                options.showHelp();
            } else if (options.shouldList()) {
                new Runner(options).list();
            } else {
                forks(new Runner(options).run());
            }
            return 0;
        } catch (CommandLineOptionException e) {
            throw new UserError(e.getMessage());
        } catch (RunnerException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    /** All rows; 1 when one of them could not be timed. */
    private int suite() throws IOException, InterruptedException {
        if (preload != null && !torch) {
            throw new UserError("--preload: is for libtorch, which comes with --torch");
        }
        threads.apply();
        Report report = new Suite(filter, Parallel.threads(), quick, torch, preload).run();
        System.out.print(report.text());
        Map<String, String> machine = DoctorCommand.facts();
        if (json != null) {
            write(json, report.json(machine));
        }
        write(html, new BenchReport(report, machine).html());
        System.out.println("\n" + html + " shows it with charts");
        return report.failures().isEmpty() ? 0 : 1;
    }

    private static void write(Path file, String text) throws IOException {
        if (file.toAbsolutePath().getParent() != null) {
            Files.createDirectories(file.toAbsolutePath().getParent());
        }
        Files.writeString(file, text);
    }

    private void scale() throws IOException {
        Files.createDirectories(scaling);
        List<Scaling.Point> points = new ArrayList<>();
        Scaling.measure(LENGTHS, point -> {
            points.add(point);
            System.out.printf(Locale.ROOT, "%-18s %6d tokens  %10.2f ms  %12d bytes%n", point.core(), point.tokens(), point.seconds() * 1e3, point.peakBytes());
        });
        ScalingReport report = new ScalingReport(points, DoctorCommand.facts());
        Files.writeString(scaling.resolve("scaling.csv"), report.csv());
        Files.writeString(scaling.resolve("scaling.html"), report.html());
        System.out.println(scaling + " holds scaling.csv and scaling.html");
    }

    private static void forks(Collection<RunResult> results) {
        System.out.println("\nMean of every fork:");
        for (RunResult result : results) {
            Result<?> all = result.getPrimaryResult();
            System.out.printf(
                    Locale.ROOT,
                    "%-60s %s  %s%n",
                    name(result.getParams()),
                    result.getBenchmarkResults().stream()
                            .map(fork -> String.format(Locale.ROOT, "%.4g", fork.getPrimaryResult().getScore()))
                            .collect(Collectors.joining("  ")),
                    all.getScoreUnit());
        }
    }

    private static String name(BenchmarkParams params) {
        String full = params.getBenchmark();
        String name = full.substring(full.lastIndexOf('.', full.lastIndexOf('.') - 1) + 1);
        return params.getParamsKeys().stream()
                .map(key -> " " + key + "=" + params.getParam(key))
                .collect(Collectors.joining("", name, ""));
    }
}
