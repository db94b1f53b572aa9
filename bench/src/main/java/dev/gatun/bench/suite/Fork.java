package dev.gatun.bench.suite;

import dev.gatun.bench.MatMulBench;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.Deque;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * One process that times rows: the roof first, then every row in an order of the fork's own, all its sides one after another
 * once they agree. JMH runs inside it and does not fork, so that the sides share a process and its threads. What was found is
 * a file of lines, see {@link Found}.
 */
public final class Fork {

    private static final int WARMUPS = 1;

    private final Pace pace;
    private final int threads;
    private final List<Peer> peers;
    private final PrintStream out;

    private Fork(Pace pace, int threads, List<Peer> peers, PrintStream out) {
        this.pace = pace;
        this.threads = threads;
        this.peers = peers;
        this.out = out;
    }

    /** Result file, file of the rows' names, number of the fork, threads, pace, then the peers. */
    public static void main(String[] args) throws IOException, RunnerException {
        int threads = Integer.parseInt(args[3]);
        System.setProperty("ai.djl.pytorch.num_threads", args[3]);
        Set<String> wanted = Set.copyOf(Files.readAllLines(Path.of(args[1])));
        long start = System.nanoTime();
        Pace pace = args[4].equals("quick") ? Pace.QUICK : Pace.FULL;
        List<Case> cases = new ArrayList<>(Cases.all().stream().filter(one -> wanted.contains(one.id())).toList());
        if (pace == Pace.QUICK) {
            cases = inTurn(cases);
        } else {
            Collections.shuffle(cases, new Random(Integer.parseInt(args[2])));
        }
        List<Peer> peers = Arrays.stream(args).skip(5).map(Peer::valueOf).toList();
        try (PrintStream out = new PrintStream(Files.newOutputStream(Path.of(args[0])), true, StandardCharsets.UTF_8)) {
            Fork fork = new Fork(pace, threads, peers, out);
            Found.roof(out, fork.roof());
            for (Case one : cases) {
                if (System.nanoTime() - start < pace.forkSeconds() * 1_000_000_000L) {
                    fork.time(one);
                }
            }
        }
        // libtorch's threads would keep the process
        System.exit(0);
    }

    /** The first row of every group, the second of every group, and so on: what is reached is of all kinds. */
    private static List<Case> inTurn(List<Case> cases) {
        Map<String, Integer> seen = new HashMap<>();
        Map<Case, Integer> turns = new HashMap<>();
        cases.forEach(one -> turns.put(one, seen.merge(one.group(), 1, Integer::sum)));
        return cases.stream().sorted(Comparator.comparing(turns::get)).toList();
    }

    private Roof roof() throws RunnerException {
        double flops = MatMulBench.Peak.FLOPS * callsPerSecond(MatMulBench.Peak.class);
        double bytes = CopyBench.TRAFFIC * callsPerSecond(CopyBench.class);
        System.out.printf(Locale.ROOT, "  the roof: %.0f GFLOP/s, %.1f GB/s%n", flops * 1e-9, bytes * 1e-9);
        return new Roof(flops, bytes);
    }

    private double callsPerSecond(Class<?> benchmark) throws RunnerException {
        return new Runner(options(benchmark, 5, 200).threads(threads).build()).runSingle().getPrimaryResult().getScore();
    }

    private ChainedOptionsBuilder options(Class<?> benchmark, int rounds, int roundMillis) {
        return new OptionsBuilder().include("^" + benchmark.getCanonicalName().replace(".", "[.]") + "[.]").forks(0).shouldFailOnError(true)
                .verbosity(VerboseMode.SILENT).warmupIterations(WARMUPS).warmupTime(TimeValue.milliseconds(pace.warmMillis()))
                .measurementIterations(rounds).measurementTime(TimeValue.milliseconds(roundMillis));
    }

    /** All sides of a row: opened, compared, timed. What goes wrong is a fact about the row, and the next one follows. */
    private void time(Case one) {
        Map<Peer, Double> nanos = new EnumMap<>(Peer.class);
        Deque<Side> open = new ArrayDeque<>();
        try {
            Map<Peer, Side> sides = new EnumMap<>(Peer.class);
            List<float[]> ours = null;
            for (Peer peer : peers) {
                if (one.peers().contains(peer)) {
                    Side side = one.open(peer, threads);
                    open.push(side);
                    sides.put(peer, side);
                    List<float[]> values = side.values();
                    if (ours == null) {
                        ours = values;
                        Found.work(out, one, one.bytes(values));
                    } else {
                        compare(one, peer, ours, values);
                    }
                }
            }
            for (Map.Entry<Peer, Side> entry : sides.entrySet()) {
                SuiteBench.side = entry.getValue();
                double time = new Runner(options(SuiteBench.class, pace.rounds(), pace.roundMillis()).build()).runSingle()
                        .getPrimaryResult().getScore();
                nanos.put(entry.getKey(), time);
                Found.time(out, one, entry.getKey(), time);
            }
            System.out.printf("  %-52s %s%n", one.id(), nanos.entrySet().stream()
                    .map(entry -> entry.getKey() + " " + Report.time(entry.getValue())).collect(Collectors.joining("   ")));
        } catch (IOException | RunnerException | RuntimeException | LinkageError e) {
            // libtorch's reason has a script around it
            String reason = e.toString().strip();
            reason = reason.lines().filter(line -> line.startsWith("RuntimeError")).findFirst().orElse(reason.lines().limit(3).collect(Collectors.joining(" ")));
            Found.failure(out, one, reason);
            System.out.printf("  %-52s %s%n", one.id(), reason);
        } finally {
            SuiteBench.side = null;
            open.forEach(Side::close);
        }
    }

    /** Sides must compute the same, or timing them says nothing. */
    private static void compare(Case one, Peer peer, List<float[]> ours, List<float[]> theirs) {
        if (ours.size() != theirs.size()) {
            throw new IllegalStateException("gatun has " + ours.size() + " results and " + peer + " has " + theirs.size());
        }
        for (int i = 0; i < ours.size(); i++) {
            float[] a = ours.get(i);
            float[] b = theirs.get(i);
            double largest = 0;
            double error = a.length == b.length ? 0 : Double.NaN;
            for (int j = 0; j < Math.min(a.length, b.length); j++) {
                largest = Math.max(largest, Math.abs(a[j]));
                error = Math.max(error, Math.abs((double) a[j] - b[j]));
            }
            if (!(error <= one.tolerance() * largest)) {
                throw new IllegalStateException("result " + i + " of gatun and " + peer + " differs by " + error + ", the largest number is " + largest);
            }
        }
    }
}
