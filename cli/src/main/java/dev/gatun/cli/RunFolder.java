package dev.gatun.cli;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;

/** Where a run keeps what it makes. */
record RunFolder(Path path) {

    private static final DateTimeFormatter NAME = DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss");

    /** A new folder below {@code runs}, named for the time and the layer; a second one in the same second gets a number. */
    static RunFolder create(Path runs, LocalDateTime now, String layer) {
        String name = NAME.format(now) + "-" + layer.replaceAll("[, ]+", "+");
        try {
            Files.createDirectories(runs);
            for (int number = 1; ; number++) {
                try {
                    return new RunFolder(Files.createDirectory(runs.resolve(number == 1 ? name : name + "-" + number)));
                } catch (FileAlreadyExistsException taken) {
                    continue;
                }
            }
        } catch (IOException e) {
            throw new UserError("--out: cannot make a folder below " + runs + ": " + e.getMessage());
        }
    }

    /** A folder that the user chose; one that holds a run already is refused, because a run is never overwritten. */
    static RunFolder at(Path path) {
        RunFolder folder = new RunFolder(path);
        if (Files.exists(folder.config())) {
            throw new UserError("--out: " + path + " holds a run already; go on with it by --resume, or choose another");
        }
        try {
            Files.createDirectories(path);
        } catch (IOException e) {
            throw new UserError("--out: cannot make " + path + ": " + e.getMessage());
        }
        return folder;
    }

    /** The folder of a run that was made before; {@code option} is how the user named it. */
    static RunFolder existing(String option, Path path) {
        RunFolder folder = new RunFolder(path);
        if (!Files.isDirectory(path)) {
            throw new UserError(option + ": there is no folder " + path);
        }
        for (Path needed : new Path[] {folder.config(), folder.checkpoint()}) {
            if (!Files.isReadable(needed)) {
                throw new UserError(option + ": " + path + " holds no " + needed.getFileName()
                        + ", which every run has once it has saved");
            }
        }
        return folder;
    }

    /** The last name of the path: what the run is called. */
    String name() {
        return path.toAbsolutePath().normalize().getFileName().toString();
    }

    Path config() {
        return path.resolve("config.json");
    }

    Path checkpoint() {
        return path.resolve("checkpoint.safetensors");
    }

    Path metrics() {
        return path.resolve("metrics.csv");
    }

    Path report() {
        return path.resolve("report.html");
    }

    Path sample() {
        return path.resolve("sample.txt");
    }
}
