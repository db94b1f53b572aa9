package dev.gatun.bench.suite;

import dev.gatun.layers.io.Json;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/**
 * What a run of the suite measured.
 *
 * @param roof the best that any fork found the machine to do
 * @param threads that every peer had
 * @param absent peers that were not there, and why
 */
public record Report(Roof roof, int threads, Pace pace, List<Row> rows, Map<Peer, String> absent) {

    /** Peers that computed at least one row. */
    public List<Peer> peers() {
        return Arrays.stream(Peer.values()).filter(peer -> rows.stream().anyMatch(row -> row.has(peer))).toList();
    }

    /** Geometric mean of a peer's ratios over the rows of a group, or over all for null. */
    public OptionalDouble mean(Peer peer, String group) {
        OptionalDouble logs = rows.stream().filter(row -> row.has(peer) && row.has(Peer.GATUN) && (group == null || row.group().equals(group)))
                .mapToDouble(row -> Math.log(row.ratio(peer))).average();
        return logs.isPresent() ? OptionalDouble.of(Math.exp(logs.getAsDouble())) : logs;
    }

    /** Rows that could not be timed. */
    public List<Row> failures() {
        return rows.stream().filter(row -> !row.failure().isEmpty()).toList();
    }

    /** A time in words. */
    public static String time(double nanos) {
        String unit = nanos < 1e3 ? "ns" : nanos < 1e6 ? "us" : nanos < 1e9 ? "ms" : "s";
        double value = nanos < 1e3 ? nanos : nanos < 1e6 ? nanos / 1e3 : nanos < 1e9 ? nanos / 1e6 : nanos / 1e9;
        return String.format(Locale.ROOT, value < 10 ? "%.2f %s" : value < 100 ? "%.1f %s" : "%.0f %s", value, unit);
    }

    /** The table as lines. */
    public String text() {
        StringBuilder text = new StringBuilder();
        List<Peer> peers = peers().stream().filter(peer -> peer != Peer.GATUN).toList();
        text.append(String.format(Locale.ROOT, "%n%d threads; the roof: %.0f GFLOP/s, %.1f GB/s; a ratio above 1 says that we are faster%n",
                threads, roof.flops() * 1e-9, roof.bytes() * 1e-9));
        absent.forEach((peer, reason) -> text.append("no ").append(peer).append(": ").append(reason).append('\n'));
        String group = "";
        for (Row row : rows) {
            if (!row.group().equals(group)) {
                group = row.group();
                text.append(String.format("%n%-44s %9s", group, Peer.GATUN));
                peers.forEach(peer -> text.append(String.format(" %22s", peer)));
                text.append("   GFLOP/s    GB/s   roof   forks\n");
            }
            text.append(String.format("%-44s ", row.name()));
            if (!row.has(Peer.GATUN)) {
                text.append(row.why()).append('\n');
                continue;
            }
            text.append(String.format("%9s", time(row.nanos(Peer.GATUN))));
            for (Peer peer : peers) {
                text.append(row.has(peer) ? String.format(Locale.ROOT, " %12s (%6.2f)", time(row.nanos(peer)), row.ratio(peer))
                        : String.format(" %22s", peer.none()));
            }
            text.append(String.format(Locale.ROOT, " %9.1f %7.1f %4.0f %%   %s%s%s%n", row.flops() / row.nanos(Peer.GATUN),
                    row.bytes() / row.nanos(Peer.GATUN), 100 * row.share(roof), forks(row),
                    row.unsteady() ? String.format(Locale.ROOT, "  ! forks differ by %.0f %%", 100 * (row.spread() - 1)) : "",
                    row.failure().isEmpty() ? "" : "  ! " + row.failure()));
        }
        for (Peer peer : peers) {
            text.append('\n').append(String.format("%-44s", "geometric mean of " + peer + "'s ratios"));
            rows.stream().map(Row::group).distinct().forEach(name ->
                    mean(peer, name).ifPresent(mean -> text.append(String.format(Locale.ROOT, "  %s %.2f", name, mean))));
            mean(peer, null).ifPresent(mean -> text.append(String.format(Locale.ROOT, "  all %.2f", mean)));
        }
        return text.append('\n').toString();
    }

    /** The mean of every fork, peer by peer. */
    public static String forks(Row row) {
        return row.forks().entrySet().stream()
                .map(entry -> Arrays.stream(entry.getValue()).mapToObj(Report::time).collect(Collectors.joining(" ")))
                .collect(Collectors.joining(" | "));
    }

    /** Everything that was measured: times in nanoseconds, one number a fork. */
    public String json(Map<String, String> machine) {
        return "{\n  \"machine\": " + object(machine) + ",\n  \"threads\": " + threads
                + ",\n  \"pace\": {\"forks\": " + pace.forks() + ", \"warmMillis\": " + pace.warmMillis() + ", \"rounds\": " + pace.rounds()
                + ", \"roundMillis\": " + pace.roundMillis() + ", \"forkSeconds\": " + pace.forkSeconds() + "}"
                + ",\n  \"roof\": {\"flops\": " + roof.flops() + ", \"bytes\": " + roof.bytes() + "}"
                + ",\n  \"absent\": " + object(absent.entrySet().stream().collect(Collectors.toMap(e -> e.getKey().toString(), Map.Entry::getValue)))
                + ",\n  \"rows\": [\n    "
                + rows.stream().map(this::json).collect(Collectors.joining(",\n    ")) + "\n  ]\n}\n";
    }

    private String json(Row row) {
        StringBuilder text = new StringBuilder("{\"group\": " + Json.quote(row.group()) + ", \"name\": " + Json.quote(row.name())
                + ", \"flops\": " + row.flops() + ", \"bytes\": " + row.bytes());
        if (row.has(Peer.GATUN)) {
            text.append(", \"flopsPerSecond\": ").append(1e9 * row.flops() / row.nanos(Peer.GATUN))
                    .append(", \"bytesPerSecond\": ").append(1e9 * row.bytes() / row.nanos(Peer.GATUN))
                    .append(", \"roof\": ").append(row.share(roof));
        }
        text.append(", \"unsteady\": ").append(row.unsteady());
        if (!row.failure().isEmpty()) {
            text.append(", \"failure\": ").append(Json.quote(row.failure()));
        }
        text.append(", \"nanos\": {").append(row.forks().entrySet().stream()
                .map(entry -> Json.quote(entry.getKey().toString()) + ": " + Arrays.toString(entry.getValue())).collect(Collectors.joining(", ")));
        text.append("}, \"ratios\": {").append(row.forks().keySet().stream().filter(peer -> peer != Peer.GATUN && row.has(Peer.GATUN))
                .map(peer -> Json.quote(peer.toString()) + ": " + row.ratio(peer)).collect(Collectors.joining(", ")));
        return text.append("}}").toString();
    }

    private static String object(Map<String, String> map) {
        return map.entrySet().stream().map(e -> Json.quote(e.getKey()) + ": " + Json.quote(e.getValue())).collect(Collectors.joining(", ", "{", "}"));
    }
}
