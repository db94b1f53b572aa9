package dev.gatun.bench.layers;

import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * A function in TorchScript, run by libtorch. The Java binding offers a part of libtorch's operations and crosses into native
 * code for each; a script has them all and crosses once, so libtorch is at its best here. A script is a resource
 * {@code NAME.py} with one function {@code forward}; this wraps it in the archive that libtorch loads.
 */
public final class TorchScript implements AutoCloseable {

    private static final String CLASS = """
            class M(Module):
              __parameters__ = []
              __buffers__ = []
              training : bool
            """;

    /** A pickled object of the class above, its only attribute true. */
    private static final String OBJECT = "\u0080\u0002c__torch__\nM\n)\u0081}(X\u0008\0\0\0training\u0088ub.";
    private static final String NO_CONSTANTS = "\u0080\u0002).";

    private final Model model;
    private final ParameterStore none;

    /**
     * Loads the script of a resource.
     *
     * @param constants text put for names in the script, in pairs
     */
    TorchScript(NDManager manager, String name, String... constants) throws IOException {
        this(manager, name, source(name, constants));
    }

    /** Loads a script from its text: functions, of which {@code forward} is the one that runs. */
    public TorchScript(NDManager manager, String name, String code) throws IOException {
        this.model = Model.newInstance(name, "PyTorch");
        this.none = new ParameterStore(manager, false);
        try {
            model.load(new ByteArrayInputStream(archive(code)));
        } catch (ai.djl.MalformedModelException e) {
            throw new IOException("torch: the script " + name + " was refused", e);
        }
    }

    /**
     * The function's values; recorded for gradients while a collector is open. (As in training: the binding's other mode makes
     * tensors that cannot meet recorded ones.)
     */
    public NDList run(NDList arguments) {
        return model.getBlock().forward(none, arguments, true);
    }

    @Override
    public void close() {
        model.close();
    }

    /**
     * The text of a resource.
     *
     * @param constants text put for names in the script, in pairs
     */
    public static String source(String name, String... constants) throws IOException {
        try (InputStream in = TorchScript.class.getResourceAsStream(name + ".py")) {
            if (in == null) {
                throw new FileNotFoundException("torch: there is no script " + name);
            }
            String code = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            for (int i = 0; i < constants.length; i += 2) {
                code = code.replace(constants[i], constants[i + 1]);
            }
            return code;
        }
    }

    private static byte[] archive(String script) throws IOException {
        StringBuilder code = new StringBuilder(CLASS);
        for (String line : script.lines().toList()) {
            if (!line.strip().startsWith("#")) {
                code.append("  ").append(line.replaceFirst("^def (\\w+)\\(", "def $1(self: __torch__.M, ")).append('\n');
            }
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            entry(zip, "version", "10\n".getBytes(StandardCharsets.US_ASCII));
            entry(zip, "code/__torch__.py", code.toString().getBytes(StandardCharsets.UTF_8));
            entry(zip, "data.pkl", OBJECT.getBytes(StandardCharsets.ISO_8859_1));
            entry(zip, "constants.pkl", NO_CONSTANTS.getBytes(StandardCharsets.ISO_8859_1));
        }
        return bytes.toByteArray();
    }

    /** Stored as it is: libtorch maps archives and expects nothing compressed. */
    private static void entry(ZipOutputStream zip, String name, byte[] content) throws IOException {
        ZipEntry entry = new ZipEntry("m/" + name);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(content.length);
        entry.setCompressedSize(content.length);
        CRC32 sum = new CRC32();
        sum.update(content);
        entry.setCrc(sum.getValue());
        zip.putNextEntry(entry);
        zip.write(content);
        zip.closeEntry();
    }
}
