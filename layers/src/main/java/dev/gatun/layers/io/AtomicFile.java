package dev.gatun.layers.io;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Replaces a file as a whole or not at all: the new content is written aside, brought to the disk
 * and renamed over the old one. A full disk, a failure or a kill leaves what was there before; a
 * kill may leave the part that was written, named {@code NAME.PROCESS-NUMBER.part}.
 */
public final class AtomicFile {

    private static final AtomicLong NUMBER = new AtomicLong();

    private AtomicFile() {}

    /** Writes the new content. */
    @FunctionalInterface
    public interface Content {
        void writeTo(FileChannel channel) throws IOException;
    }

    /**
     * Gives a file new content. Folders on the way are made.
     *
     * @throws IOException when that failed; the file is then as it was
     */
    public static void write(Path path, Content content) throws IOException {
        Path target = path.toAbsolutePath();
        Path folder = target.getParent();
        if (folder == null) {
            throw new IOException("write: " + path + " is no file name");
        }
        Files.createDirectories(folder);
        Path part = folder.resolve(target.getFileName() + "." + ProcessHandle.current().pid() + "-" + NUMBER.incrementAndGet() + ".part");
        try {
            try (FileChannel channel = FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                content.writeTo(channel);
                channel.force(true);
            }
            Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
        }
        sync(folder);
    }

    /** Brings the new name to the disk, where folders can be opened. */
    private static void sync(Path folder) throws IOException {
        if (Files.getFileAttributeView(folder, PosixFileAttributeView.class) != null) {
            try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    }
}
