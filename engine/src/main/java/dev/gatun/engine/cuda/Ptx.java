package dev.gatun.engine.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.function.Function;

/**
 * Kernels that are shipped as PTX text, one file for each tier, beside the ops that use them:
 *
 * {@snippet :
 * private static final Ptx ROWS = Ptx.of("rows", name -> Softmax.class.getResourceAsStream(name));
 * }
 *
 * The function opens the file in its own module; nobody else may look into it.
 */
public final class Ptx {

    private final String name;
    private final Function<String, InputStream> files;

    private Ptx(String name, Function<String, InputStream> files) {
        this.name = name;
        this.files = files;
    }

    /** The kernels of {@code name.cu}, in files that the function opens. */
    public static Ptx of(String name, Function<String, InputStream> files) {
        return new Ptx(name, files);
    }

    /** Name of the source, without its ending. */
    public String name() {
        return name;
    }

    /** The SHA-256 of a text, as the manifest has it. */
    static String hash(String text) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** The text of a tier, 70 or 80. */
    public String text(int tier) {
        String file = name + ".sm" + tier + ".ptx";
        try (InputStream in = files.apply(file)) {
            if (in == null) {
                throw new IllegalStateException("cuda: " + file + " is missing");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
