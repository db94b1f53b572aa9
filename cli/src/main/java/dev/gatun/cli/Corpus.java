package dev.gatun.cli;

import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Predicate;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * What is learned from: a text to train on and a text that is only used to judge. The cut goes between files, so that no
 * sentence of the second was half seen in the first; a seed decides which file goes where.
 *
 * @param origin what the text is, in words
 * @param training the files to learn from, in an order drawn from the seed
 * @param heldOut the files to be judged on
 */
record Corpus(String origin, Text training, Text heldOut) {

    /** One byte in twenty is held out. */
    private static final double HELD_OUT = 0.05;

    /** A single file has no border between files: its end is held out. */
    private static final double HELD_OUT_OF_ONE = 0.1;

    /** Where the build puts our own sources in the jar. */
    private static final String OWN = "dev/gatun/cli/own/";

    /** The Java sources that a JDK carries; where it has none, our own. */
    static Corpus ofJdk(Path javaHome, long seed) {
        Path sources = javaHome.resolve("lib").resolve("src.zip");
        if (!Files.isReadable(sources)) {
            return ofGatun("this JDK has no lib/src.zip; using Gatun's own sources, which are few", seed);
        }
        List<Text.Part> java = inZip(sources, name -> name.startsWith("java.base/") && name.endsWith(".java"));
        if (java.isEmpty()) {
            return ofGatun("lib/src.zip of this JDK has no java.base; using Gatun's own sources, which are few", seed);
        }
        return cut("Java sources of java.base, JDK " + Runtime.version().feature(), java, seed);
    }

    /** The text packed with this program: its own sources. */
    static Corpus ofGatun(String why, long seed) {
        List<Text.Part> own;
        try {
            Path jar = Path.of(Corpus.class.getProtectionDomain().getCodeSource().getLocation().toURI());
            own = Files.isDirectory(jar)
                    ? inFolder(jar.resolve(OWN))
                    : inZip(jar, name -> name.startsWith(OWN) && !name.endsWith("/"));
        } catch (URISyntaxException e) {
            throw new IllegalStateException("corpus: this program cannot find its own jar", e);
        }
        return cut("Gatun's own sources (" + why + ")", own, seed);
    }

    /** A file, or every text file below a folder: hidden ones and those with a zero byte near their start are left out. */
    static Corpus of(Path path, long seed) {
        if (!Files.isReadable(path)) {
            throw new UserError("--text: " + path + (Files.exists(path) ? " cannot be read" : " does not exist"));
        }
        if (Files.isDirectory(path)) {
            List<Text.Part> parts = inFolder(path);
            if (parts.isEmpty()) {
                throw new UserError("--text: no text file below " + path);
            }
            return cut(path.toString(), parts, seed);
        }
        Text.Part file = part(path, path.getFileName().toString());
        return file.bytes() == 0 ? cut(path.toString(), List.of(), seed) : cutOne(path.toString(), List.of(file));
    }

    /** A number that tells this text and this cut from others. */
    String fingerprint() {
        return "%08x%08x".formatted(training.fingerprint(), heldOut.fingerprint());
    }

    /** What it is and how much, in one line. */
    String describe() {
        return "%s: %s to learn from, %s held out".formatted(origin, amount(training), amount(heldOut));
    }

    /** Says so when there is less text than one window of {@code context} bytes and the byte after it. */
    Corpus requireWindow(int context) {
        long least = Math.min(training.bytes(), heldOut.bytes());
        if (least <= context) {
            throw new UserError("--text: too short: " + training.bytes() + " bytes to learn from and " + heldOut.bytes()
                    + " held out, but --context " + context + " needs " + (context + 1) + " in each");
        }
        return this;
    }

    private static String amount(Text text) {
        String bytes = text.bytes() < 1_000_000
                ? "%,d bytes".formatted(text.bytes())
                : "%.1f MB".formatted(text.bytes() / 1e6);
        return text.files() == 1 ? bytes : bytes + " in %,d files".formatted(text.files());
    }

    /** Files in an order drawn from the seed: the first are held out, until there are enough. */
    private static Corpus cut(String origin, List<Text.Part> parts, long seed) {
        if (parts.size() < 2) {
            return cutOne(origin, parts);
        }
        List<Text.Part> order = new ArrayList<>(parts);
        order.sort(Comparator.comparing(Text.Part::name));
        shuffle(order, new SplittableRandom(seed));
        double enough = HELD_OUT * order.stream().mapToLong(Text.Part::bytes).sum();
        int cut = 0;
        for (long held = 0; held < enough && cut < order.size() - 1; cut++) {
            held += order.get(cut).bytes();
        }
        return new Corpus(
                origin, new Text(order.subList(cut, order.size())), new Text(order.subList(0, cut)));
    }

    private static Corpus cutOne(String origin, List<Text.Part> parts) {
        if (parts.isEmpty()) {
            throw new UserError("--text: " + origin + " is empty");
        }
        Text.Part whole = parts.getFirst();
        long cut = whole.bytes() - (long) Math.ceil(whole.bytes() * HELD_OUT_OF_ONE);
        Text text = new Text(parts);
        return new Corpus(
                origin, new Text(List.of(piece(whole, text, 0, cut))), new Text(List.of(piece(whole, text, cut, whole.bytes()))));
    }

    private static Text.Part piece(Text.Part whole, Text text, long from, long to) {
        return new Text.Part(whole.name() + "[" + from + ".." + to + ")", to - from, () -> {
            byte[] bytes = new byte[Math.toIntExact(to - from)];
            text.read(from, bytes);
            return bytes;
        });
    }

    // Written out, because the order must stay the same when a JDK changes how Collections.shuffle draws.
    private static void shuffle(List<Text.Part> parts, SplittableRandom random) {
        for (int i = parts.size() - 1; i > 0; i--) {
            parts.set(i, parts.set(random.nextInt(i + 1), parts.get(i)));
        }
    }

    /** The zip stays open: its files are read when they are needed. */
    private static List<Text.Part> inZip(Path path, Predicate<String> wanted) {
        try {
            ZipFile zip = new ZipFile(path.toFile());
            return zip.stream()
                    .filter(entry -> wanted.test(entry.getName()) && entry.getSize() > 0)
                    .map(entry -> new Text.Part(entry.getName(), entry.getSize(), () -> bytes(zip, entry)))
                    .toList();
        } catch (IOException e) {
            throw new UserError("cannot read " + path + ": " + e.getMessage());
        }
    }

    private static byte[] bytes(ZipFile zip, ZipEntry entry) throws IOException {
        try (var in = zip.getInputStream(entry)) {
            return in.readAllBytes();
        }
    }

    private static List<Text.Part> inFolder(Path folder) {
        List<Text.Part> parts = new ArrayList<>();
        try {
            Files.walkFileTree(folder, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes attributes) {
                    return hidden(path) && !path.equals(folder) ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFile(Path path, BasicFileAttributes attributes) throws IOException {
                    if (attributes.isRegularFile() && !hidden(path) && attributes.size() > 0 && isText(path)) {
                        parts.add(part(path, folder.relativize(path).toString().replace(File.separatorChar, '/')));
                    }
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            throw new UserError("--text: cannot read " + e.getMessage());
        }
        return parts;
    }

    private static boolean hidden(Path path) {
        Path name = path.getFileName();
        return name != null && name.toString().startsWith(".");
    }

    private static boolean isText(Path path) throws IOException {
        try (var in = Files.newInputStream(path)) {
            for (byte b : in.readNBytes(4096)) {
                if (b == 0) {
                    return false;
                }
            }
        }
        return true;
    }

    private static Text.Part part(Path path, String name) {
        long bytes = path.toFile().length();
        if (bytes > Integer.MAX_VALUE - 16) {
            throw new UserError("--text: " + path + " has " + bytes + " bytes; cut it into files of less than 2 GB");
        }
        return new Text.Part(name, bytes, () -> Files.readAllBytes(path));
    }
}
