package dev.gatun.engine.onednn;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Where oneDNN computes in place of our own kernels: a table of ops and classes of shapes, in
 * {@code winners.txt}. {@code -Dgatun.onednn.use} says otherwise: {@code all}, {@code none}, or a list such as
 * {@code matmul,softmax:long}.
 */
public final class Winners {

    private static final Map<String, String> TABLE = read();
    private static final Set<String> WON = won(System.getProperty("gatun.onednn.use"), TABLE);

    private Winners() {}

    /** Whether oneDNN is to compute an op's shapes of a class. */
    public static boolean onednn(String op, String shapes) {
        return !WON.isEmpty() && WON.contains(op + ":" + shapes);
    }

    /** Whether oneDNN is to compute anything: if not, nobody need look for it. */
    public static boolean any() {
        return !WON.isEmpty();
    }

    /** The table as it is committed: op and class of shapes, and who is faster. */
    public static Map<String, String> table() {
        return TABLE;
    }

    /** What oneDNN is to compute, as {@code op:class}. */
    public static Set<String> won() {
        return Set.copyOf(WON);
    }

    static Set<String> won(String asked, Map<String, String> table) {
        Set<String> won = new HashSet<>();
        if (asked == null) {
            table.forEach((row, winner) -> {
                if (winner.equals("onednn")) {
                    won.add(row);
                }
            });
        } else if (asked.equals("all")) {
            won.addAll(table.keySet());
        } else if (!asked.equals("none")) {
            for (String name : asked.split(",")) {
                int before = won.size();
                table.keySet().stream()
                        .filter(row -> row.equals(name.strip()) || row.startsWith(name.strip() + ":"))
                        .forEach(won::add);
                if (won.size() == before) {
                    throw new IllegalArgumentException("gatun.onednn.use: no \"" + name.strip() + "\"; there are all, none, "
                            + String.join(", ", table.keySet()));
                }
            }
        }
        return won;
    }

    private static Map<String, String> read() {
        Map<String, String> table = new LinkedHashMap<>();
        try (InputStream in = Winners.class.getResourceAsStream("winners.txt");
                BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
            lines.lines().map(line -> line.replaceFirst("#.*", "").strip()).filter(line -> !line.isEmpty()).forEach(line -> {
                String[] words = line.split("\\s+");
                table.put(words[0] + ":" + words[1], words[2]);
            });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return table;
    }
}
