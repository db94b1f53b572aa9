package dev.gatun.verify.ptx;

import java.util.Map;

/**
 * A text of PTX, read and decoded: everything in it is known to the emulated device.
 *
 * @param version of the language: 70 for 7.0
 * @param target the oldest compute capability it is for: 80 for sm_80
 * @param kernels by their names, in the order of the text
 */
public record PtxModule(int version, int target, Map<String, PtxKernel> kernels) {

    /**
     * Reads a text.
     *
     * @throws PtxRefusal when something in it is unknown, with the line
     */
    public static PtxModule of(String text) {
        return new PtxParser(text).module();
    }

    /** The kernel of that name. */
    public PtxKernel kernel(String name) {
        PtxKernel kernel = kernels.get(name);
        if (kernel == null) {
            throw new IllegalArgumentException("ptx: there is no kernel \"" + name + "\"; there are " + kernels.keySet());
        }
        return kernel;
    }
}
