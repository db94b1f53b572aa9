package dev.gatun.verify.ptx;

/** PTX text that the emulated device does not take: something it does not know, or that makes no sense. */
public final class PtxRefusal extends IllegalArgumentException {

    private static final long serialVersionUID = 1;

    /** Where the text is refused, what stands there, and why. */
    PtxRefusal(int line, String text, String why) {
        super("ptx: line " + line + ": " + why + "\n  " + text);
    }
}
