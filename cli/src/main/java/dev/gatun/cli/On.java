package dev.gatun.cli;

import dev.gatun.engine.Device;
import dev.gatun.engine.cuda.Gpu;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Option;

/** Which device computes. It changes no number but by rounding, so a run may go on on another one. */
final class On {

    private static final Pattern CUDA = Pattern.compile("cuda(?::(\\d{1,3}))?");

    @Option(names = "--device", paramLabel = "NAME", defaultValue = "cpu", description = "cpu, cuda or cuda:N (default: cpu).")
    private String name;

    /** The device, which is there. */
    Device device() {
        Matcher cuda = CUDA.matcher(name);
        if (name.equals("cpu")) {
            return Device.cpu();
        }
        if (!cuda.matches()) {
            throw new UserError("--device: there is no \"" + name + "\"; there are cpu, cuda and cuda:N");
        }
        Device device = Device.cuda(cuda.group(1) == null ? 0 : Integer.parseInt(cuda.group(1)));
        Optional<String> missing = Gpu.missing(device.index());
        if (missing.isPresent()) {
            throw new UserError("--device: " + device + ": " + missing.get());
        }
        return device;
    }
}
