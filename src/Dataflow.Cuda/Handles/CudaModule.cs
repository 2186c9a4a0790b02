using System.Text;
using Dataflow.Cuda.Interop;

namespace Dataflow.Cuda;

/// <summary>Loaded code of one kernel file.</summary>
public sealed unsafe class CudaModule : CudaHandle
{
    private const int LongestLog = 8192;
    private readonly nint context;

    private CudaModule(CudaContext of, string name) => (context, Name) = (of.Value, name);

    /// <summary>For messages: the kernel's name.</summary>
    public string Name { get; }

    /// <summary>Loads a cubin, or PTX that the driver compiles.</summary>
    /// <exception cref="CudaException">It does not run on this GPU; the driver's log is in the message.</exception>
    public static CudaModule Load(CudaContext context, string name, ReadOnlySpan<byte> image)
    {
        var module = new CudaModule(context, name);
        byte* log = stackalloc byte[LongestLog];
        log[0] = 0;
        JitOption* options = stackalloc JitOption[2] { JitOption.ErrorLogBuffer, JitOption.ErrorLogBufferSize };
        void** values = stackalloc void*[2] { log, (void*)LongestLog };
        nint loaded;

        // PTX is text, and ends with a zero for the driver.
        byte[] terminated = [.. image, 0];
        fixed (byte* bytes = terminated)
        {
            var status = DriverApi.cuModuleLoadDataEx(&loaded, bytes, 2, options, values);
            if (status != DriverStatus.Success)
            {
                string said = Encoding
                    .UTF8.GetString(log, new ReadOnlySpan<byte>(log, LongestLog).IndexOf((byte)0) is var end and >= 0 ? end : LongestLog)
                    .Trim();
                throw StatusChecks.Failure(
                    status,
                    $"loading the kernels of {name} on GPU {context.Gpu.Ordinal} "
                        + $"(sm_{context.Gpu.Capability.Major}{context.Gpu.Capability.Minor})",
                    said.Length > 0 ? $"the driver says: {said.ReplaceLineEndings(" ")}" : null
                );
            }
        }

        module.Adopt(loaded, context);
        return module;
    }

    /// <summary>Loads a file: for the emulation, whose kernels are shared libraries.</summary>
    public static CudaModule LoadFile(CudaContext context, string name, string path)
    {
        var module = new CudaModule(context, name);
        nint loaded;
        fixed (byte* text = NativeText.Of(path))
        {
            DriverApi.cuModuleLoad(&loaded, text).Check($"loading the kernels of {name} from {path}");
        }

        module.Adopt(loaded, context);
        return module;
    }

    /// <summary>An entry point by its name.</summary>
    /// <exception cref="CudaException">There is none of that name.</exception>
    public CudaFunction Function(string name)
    {
        nint function;
        fixed (byte* text = NativeText.Of(name))
        {
            DriverApi.cuModuleGetFunction(&function, this, text).Check($"looking for {name} among the kernels of {Name}");
        }

        return new CudaFunction(this, name, function);
    }

    private protected override void Release(nint value)
    {
        CudaContext.MakeCurrentForRelease(context);
        _ = DriverApi.cuModuleUnload(value);
    }
}
