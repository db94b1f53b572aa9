package dev.gatun.bindings.cuda;

import java.util.Optional;

/** The driver refused a call, or reports that earlier work failed. */
public final class CudaException extends RuntimeException {

    private static final int OUT_OF_MEMORY = 2;

    private final int code;
    private final String name;
    private final String call;
    private final String log;

    CudaException(int code, String name, String text, String call, String log) {
        super("cuda: " + call + ": " + name + " (" + code + "), " + text + (log.isBlank() ? "" : "\n" + log.strip()));
        this.code = code;
        this.name = name;
        this.call = call;
        this.log = log;
    }

    /** A call on a device that was lost before: what lost it is the cause. */
    CudaException(CudaException first, String call) {
        super("cuda: " + call + ": the device was lost by an earlier failure, " + first.getMessage(), first);
        this.code = first.code;
        this.name = first.name;
        this.call = call;
        this.log = "";
    }

    /** The driver's number for it. */
    public int code() {
        return code;
    }

    /** The driver's word for it, such as {@code CUDA_ERROR_OUT_OF_MEMORY}. */
    public String errorName() {
        return name;
    }

    /** The function that was called, with its arguments. */
    public String call() {
        return call;
    }

    /** What the driver's compiler said when a module was refused. */
    public Optional<String> log() {
        return log.isBlank() ? Optional.empty() : Optional.of(log);
    }

    /** Whether there is too little memory; the device is well. */
    public boolean outOfMemory() {
        return code == OUT_OF_MEMORY;
    }

    /** Whether the device's context is lost for this process: every later call would fail likewise. */
    public boolean sticky() {
        return code == 700 || code == 702 || code == 710 || code >= 714 && code <= 719;
    }
}
