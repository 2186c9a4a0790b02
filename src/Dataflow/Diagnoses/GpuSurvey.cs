using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow;

/// <summary>Asks NVML, which comes with the driver, for the GPUs: unlike CUDA itself it takes no device memory for that.</summary>
public static unsafe class GpuSurvey
{
    private const string Library = "libnvidia-ml.so.1";

    /// <summary>The GPUs, or why there are none.</summary>
    public static GpuReading Read()
    {
        if (!NativeLibrary.TryLoad(Library, out nint library))
        {
            return new GpuReading([], null, $"{Library} is not installed, so there is no NVIDIA driver");
        }

        try
        {
            var start = (delegate* unmanaged<int>)NativeLibrary.GetExport(library, "nvmlInit_v2");
            var stop = (delegate* unmanaged<int>)NativeLibrary.GetExport(library, "nvmlShutdown");
            int status = start();
            if (status != 0)
            {
                return new GpuReading([], null, Explain(library, status));
            }

            try
            {
                return Ask(library);
            }
            finally
            {
                _ = stop();
            }
        }
        catch (EntryPointNotFoundException e)
        {
            return new GpuReading([], null, $"{Library} is too old: {e.Message}");
        }
        finally
        {
            NativeLibrary.Free(library);
        }
    }

    private static GpuReading Ask(nint library)
    {
        int version;
        bool known = ((delegate* unmanaged<int*, int>)NativeLibrary.GetExport(library, "nvmlSystemGetCudaDriverVersion_v2"))(&version) == 0;
        string? cuda = known ? $"{version / 1000}.{version % 1000 / 10}" : null;

        uint count;
        int status = ((delegate* unmanaged<uint*, int>)NativeLibrary.GetExport(library, "nvmlDeviceGetCount_v2"))(&count);
        var gpus = new List<GpuFacts>();
        for (uint i = 0; status == 0 && i < count; i++)
        {
            nint device;
            status = ((delegate* unmanaged<uint, nint*, int>)NativeLibrary.GetExport(library, "nvmlDeviceGetHandleByIndex_v2"))(i, &device);
            if (status == 0)
            {
                gpus.Add(Describe(library, device));
            }
        }

        return new GpuReading(gpus, cuda, status != 0 ? Explain(library, status) : count == 0 ? "the driver sees no GPU" : null);
    }

    private static GpuFacts Describe(nint library, nint device)
    {
        const int longest = 96;
        byte* name = stackalloc byte[longest];
        name[0] = 0;
        _ = ((delegate* unmanaged<nint, byte*, uint, int>)NativeLibrary.GetExport(library, "nvmlDeviceGetName"))(device, name, longest);

        // Bytes in all, free and used.
        ulong* memory = stackalloc ulong[3] { 0, 0, 0 };
        _ = ((delegate* unmanaged<nint, ulong*, int>)NativeLibrary.GetExport(library, "nvmlDeviceGetMemoryInfo"))(device, memory);

        int major = 0,
            minor = 0;
        _ = ((delegate* unmanaged<nint, int*, int*, int>)NativeLibrary.GetExport(library, "nvmlDeviceGetCudaComputeCapability"))(
            device,
            &major,
            &minor
        );
        return new GpuFacts(
            Marshal.PtrToStringUTF8((nint)name) ?? "",
            new Bytes((long)memory[0]),
            new Bytes((long)memory[1]),
            new ComputeCapability(major, minor),
            Link(library, device, "nvmlDeviceGetMaxPcieLinkGeneration"),
            Link(library, device, "nvmlDeviceGetMaxPcieLinkWidth"));
    }

    private static int Link(nint library, nint device, string question)
    {
        uint answer = 0;
        int status = ((delegate* unmanaged<nint, uint*, int>)NativeLibrary.GetExport(library, question))(device, &answer);
        return status == 0 ? (int)answer : 0;
    }

    private static string Explain(nint library, int status)
    {
        var explain = (delegate* unmanaged<int, byte*>)NativeLibrary.GetExport(library, "nvmlErrorString");
        return $"the driver answers: {Marshal.PtrToStringUTF8((nint)explain(status)) ?? "error"} ({status})";
    }
}
