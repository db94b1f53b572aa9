package dev.gatun.bench.suite;

import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;

/**
 * One line of the table.
 *
 * @param flops arithmetic of one run
 * @param bytes least traffic of one run
 * @param forks nanoseconds of one run, for each peer the mean of every fork
 * @param failure why nothing was timed; empty if it was
 */
public record Row(String group, String name, double flops, double bytes, Map<Peer, double[]> forks, String failure) {

    /** From where on forks disagree: the slowest against the fastest. */
    public static final double SPREAD = 1.2;

    /** Whether this peer was timed. */
    public boolean has(Peer peer) {
        return forks.containsKey(peer);
    }

    /** What a line without times says. */
    public String why() {
        return failure.isEmpty() ? "not reached" : failure;
    }

    /** Nanoseconds of one run. */
    public double nanos(Peer peer) {
        return Arrays.stream(forks.get(peer)).average().orElseThrow();
    }

    /** How many times as long as we a peer takes. */
    public double ratio(Peer peer) {
        return nanos(peer) / nanos(Peer.GATUN);
    }

    /** The peers' slowest forks against their fastest: the largest of these. */
    public double spread() {
        return forks.values().stream()
                .mapToDouble(f -> Arrays.stream(f).max().orElseThrow() / Arrays.stream(f).min().orElseThrow()).max().orElse(1);
    }

    /** Whether forks differ so much that the row says little. */
    public boolean unsteady() {
        return spread() > SPREAD;
    }

    /** Our share of what the machine can do: 1 is the roof. */
    public double share(Roof roof) {
        return roof.nanos(flops, bytes) / nanos(Peer.GATUN);
    }

    /** The same row with what another fork found. */
    Row and(Row other) {
        Map<Peer, double[]> both = new EnumMap<>(Peer.class);
        both.putAll(forks);
        other.forks.forEach((peer, times) -> both.merge(peer, times, (a, b) -> {
            double[] all = Arrays.copyOf(a, a.length + b.length);
            System.arraycopy(b, 0, all, a.length, b.length);
            return all;
        }));
        return new Row(group, name, Math.max(flops, other.flops), Math.max(bytes, other.bytes), both,
                failure.isEmpty() ? other.failure : failure);
    }
}
