package dev.gatun.bench.suite;

import dev.gatun.bindings.onednn.OneDnn;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Times all rows in several fresh processes, one after another, and puts together what they found.
 *
 * @param filter rows whose id it is found in; null for all
 * @param threads for every peer alike
 * @param quick whether to look or to measure
 * @param torch whether libtorch is on the class path and wanted
 * @param preload a library for further processes, in which libtorch alone is timed; null for none
 */
public record Suite(Pattern filter, int threads, boolean quick, boolean torch, Path preload) {

    /** Runs it; lines on the way go to standard output. */
    public Report run() throws IOException, InterruptedException {
        List<Case> cases = Cases.all().stream().filter(one -> filter == null || filter.matcher(one.id()).find()).toList();
        if (cases.isEmpty()) {
            throw new IllegalArgumentException("bench: no row has " + filter + " in its name; there are "
                    + String.join(", ", Cases.all().stream().map(Case::id).toList()));
        }
        Map<Peer, String> absent = new LinkedHashMap<>();
        List<Peer> peers = new ArrayList<>(List.of(Peer.GATUN));
        OneDnn.missing().ifPresentOrElse(reason -> absent.put(Peer.ONEDNN, reason), () -> peers.add(Peer.ONEDNN));
        if (torch) {
            peers.add(Peer.TORCH);
        } else {
            absent.put(Peer.TORCH, "not asked for; --torch fetches it");
        }
        Pace pace = quick ? Pace.QUICK : Pace.FULL;
        Map<String, Row> rows = new LinkedHashMap<>();
        Roof roof = new Roof(0, 0);
        Path folder = Files.createTempDirectory("gatun-bench");
        try {
            for (int fork = 0; fork < pace.forks(); fork++) {
                System.out.println("fork " + (fork + 1) + " of " + pace.forks());
                roof = merge(rows, roof, fork(folder, cases, fork, peers, null));
                if (torch && preload != null) {
                    System.out.println("fork " + (fork + 1) + " of " + pace.forks() + ", " + preload.getFileName() + " preloaded");
                    roof = merge(rows, roof, fork(folder, cases, fork, List.of(Peer.PRELOADED), preload));
                }
            }
        } finally {
            Files.deleteIfExists(folder.resolve("found"));
            Files.deleteIfExists(folder.resolve("rows"));
            Files.deleteIfExists(folder);
        }
        return new Report(roof, threads, pace, List.copyOf(rows.values()), absent);
    }

    private static Roof merge(Map<String, Row> rows, Roof roof, Found found) {
        found.rows().forEach((id, row) -> rows.merge(id, row, Row::and));
        return found.roof() == null ? roof : roof.best(found.roof());
    }

    /** A fresh JVM with the flags of this one. */
    private Found fork(Path folder, List<Case> cases, int number, List<Peer> peers, Path preloaded) throws IOException, InterruptedException {
        Path found = folder.resolve("found");
        Path rows = Files.write(folder.resolve("rows"), cases.stream().map(Case::id).toList());
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Fork.class.getName(), found.toString(), rows.toString(),
                Integer.toString(number), Integer.toString(threads), quick ? "quick" : "full"));
        peers.forEach(peer -> command.add(peer.name()));
        ProcessBuilder process = new ProcessBuilder(command).inheritIO();
        if (preloaded != null) {
            process.environment().put("LD_PRELOAD", preloaded.toAbsolutePath().toString());
        }
        Files.deleteIfExists(found);
        Process running = process.start();
        Thread end = new Thread(running::destroy);
        Runtime.getRuntime().addShutdownHook(end);
        int code = running.waitFor();
        Runtime.getRuntime().removeShutdownHook(end);
        if (code != 0) {
            throw new IOException("bench: a fork ended with " + code);
        }
        return Found.read(found, cases);
    }
}
