package dev.gatun.bench.suite;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What one fork found, as its lines are written and read: words with tabs between, the first of which says what follows. A fork
 * that dies has written what it knew.
 *
 * @param roof what the fork's machine can do; null when it did not get so far
 * @param rows by their names
 */
record Found(Roof roof, Map<String, Row> rows) {

    static void roof(PrintStream out, Roof roof) {
        out.println(String.join("\t", "roof", Double.toString(roof.flops()), Double.toString(roof.bytes())));
    }

    static void work(PrintStream out, Case one, double bytes) {
        out.println(String.join("\t", "work", one.id(), Double.toString(one.flops()), Double.toString(bytes)));
    }

    static void time(PrintStream out, Case one, Peer peer, double nanos) {
        out.println(String.join("\t", "time", one.id(), peer.name(), Double.toString(nanos)));
    }

    static void failure(PrintStream out, Case one, String reason) {
        out.println(String.join("\t", "failure", one.id(), reason.replaceAll("\\s+", " ")));
    }

    /** Reads a fork's file; a peer's name may be another's, when the fork was told to be it. */
    static Found read(Path file, List<Case> cases) throws IOException {
        Map<String, Row> rows = new LinkedHashMap<>();
        cases.forEach(one -> rows.put(one.id(), new Row(one.group(), one.name(), 0, 0, Map.of(), "")));
        Roof roof = null;
        for (String line : Files.readAllLines(file)) {
            String[] words = line.split("\t");
            switch (words[0]) {
                case "roof" -> roof = new Roof(Double.parseDouble(words[1]), Double.parseDouble(words[2]));
                case "work" -> add(rows, words[1], Double.parseDouble(words[2]), Double.parseDouble(words[3]), Map.of(), "");
                case "time" -> add(rows, words[1], 0, 0,
                        new EnumMap<>(Map.of(Peer.valueOf(words[2]), new double[] {Double.parseDouble(words[3])})), "");
                case "failure" -> add(rows, words[1], 0, 0, Map.of(), words[2]);
                default -> throw new IOException(file + ": no line begins with \"" + words[0] + "\"");
            }
        }
        return new Found(roof, rows);
    }

    private static void add(Map<String, Row> rows, String id, double flops, double bytes, Map<Peer, double[]> forks, String failure) {
        rows.computeIfPresent(id, (key, row) -> row.and(new Row(row.group(), row.name(), flops, bytes, forks, failure)));
    }
}
