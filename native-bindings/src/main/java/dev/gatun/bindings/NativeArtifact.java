package dev.gatun.bindings;

import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.jar.JarEntry;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;

/**
 * Shared libraries that lie in a jar on the class or module path. The system's loader wants files, so they are unpacked
 * once into a folder of the user's. Its name holds the checksum that the jar gives, so that another version has a folder
 * of its own.
 *
 * <p>Every start compares the files with the jar's checksums (a tenth of a second for 90 MB) and writes those anew that
 * are missing or damaged. A file is written under another name and then renamed: whoever starts at the same moment finds
 * the whole file or none, and one that is loaded already stays what it is.
 */
public final class NativeArtifact {

    /** One file in the jar. */
    private record Entry(String name, URL url, long bytes, long checksum) {}

    private NativeArtifact() {}

    /** Where libraries are unpacked: {@code -Dgatun.cache}, or gatun in the user's folder for such things. */
    public static Path cache() {
        String given = System.getProperty("gatun.cache");
        if (given != null) {
            return Path.of(given);
        }
        String caches = System.getenv("XDG_CACHE_HOME");
        return (caches == null || caches.isEmpty() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(caches))
                .resolve("gatun");
    }

    /**
     * The files of a jar as files of the system.
     *
     * @param loader whose class or module path has the jar
     * @param name what people call the library; part of the folder's name
     * @param folder where the files lie in the jar, with a slash at its end
     * @param files what is needed; those behind the first may be missing from the jar
     * @param cache the folder for unpacked libraries
     * @return the path of the first file; empty when no jar has it
     * @throws IOException when it is there and cannot be unpacked
     */
    public static Optional<Path> unpacked(ClassLoader loader, String name, String folder, List<String> files, Path cache)
            throws IOException {
        List<Entry> entries = new ArrayList<>();
        for (String file : files) {
            URL url = loader.getResource(folder + file);
            if (url == null && entries.isEmpty()) {
                return Optional.empty();
            }
            if (url != null && url.getProtocol().equals("file")) {
                return Optional.of(path(url));
            }
            if (url != null) {
                entries.add(entry(file, url));
            }
        }
        Path home = cache.resolve(name + "-" + HexFormat.of().toHexDigits((int) entries.getFirst().checksum));
        create(home);
        // What the first file needs comes before it: who finds it can load it.
        for (Entry entry : entries.reversed()) {
            unpack(entry, home);
        }
        return Optional.of(home.resolve(files.getFirst()));
    }

    private static Path path(URL url) throws IOException {
        try {
            return Path.of(url.toURI());
        } catch (URISyntaxException e) {
            throw new IOException(url + " is no path", e);
        }
    }

    private static Entry entry(String name, URL url) throws IOException {
        URLConnection connection = url.openConnection();
        if (!(connection instanceof JarURLConnection jar)) {
            throw new IOException(url + " does not lie in a jar");
        }
        JarEntry entry = jar.getJarEntry();
        return new Entry(name, url, entry.getSize(), entry.getCrc());
    }

    private static void create(Path home) throws IOException {
        if (Files.isDirectory(home)) {
            return;
        }
        if (home.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            Files.createDirectories(home, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } else {
            Files.createDirectories(home);
        }
    }

    private static void unpack(Entry entry, Path home) throws IOException {
        Path file = home.resolve(entry.name);
        if (Files.isRegularFile(file) && Files.size(file) == entry.bytes && checksum(file) == entry.checksum) {
            return;
        }
        Path part = Files.createTempFile(home, entry.name, ".part");
        try {
            try (InputStream in = entry.url.openStream()) {
                Files.copy(in, part, StandardCopyOption.REPLACE_EXISTING);
            }
            if (checksum(part) != entry.checksum) {
                throw new IOException(file + " has another checksum than the jar says");
            }
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
        }
    }

    private static long checksum(Path file) throws IOException {
        CRC32 checksum = new CRC32();
        try (CheckedInputStream in = new CheckedInputStream(Files.newInputStream(file), checksum)) {
            byte[] buffer = new byte[1 << 16];
            while (in.read(buffer) >= 0) {
                // the stream adds up what passes
            }
        }
        return checksum.getValue();
    }
}
