using System.Text;
using Dataflow.Cuda.Interop;

namespace Dataflow.Cuda;

/// <summary>
/// What cuDNN knows of a GPU, as the text that it plans from on a machine without one: a flat JSON object of about 700 bytes. It has been
/// read on no GPU yet.
/// </summary>
public static unsafe class CudnnDeviceProperties
{
    private const int MostBytes = 1 << 16;

    /// <summary>The text of a GPU, by attribute 2702 of its device properties.</summary>
    /// <param name="gpu">Which one, in the driver's order.</param>
    /// <exception cref="MissingLibraryException">cuDNN is not installed, or cuBLASLt is not.</exception>
    /// <exception cref="CudaException">The library refuses, as those before 9.8 do.</exception>
    public static string Read(CudaGpu gpu)
    {
        _ = CudnnHandle.LibraryVersion; // what is missing is said before anything is made
        nint properties;
        CudnnApi.cudnnBackendCreateDescriptor(CudnnDescriptorType.DeviceProperties, &properties)
            .Check("creating cuDNN's device properties");
        try
        {
            int ordinal = gpu.Ordinal;
            CudnnApi.cudnnBackendSetAttribute(
                    properties, CudnnAttributeName.DevicePropertiesId, CudnnAttributeType.Int32, 1, &ordinal)
                .Check("naming the GPU to cuDNN's device properties");
            CudnnApi.cudnnBackendFinalize(properties).Check("finalizing cuDNN's device properties");
            byte[] text = new byte[MostBytes];
            long found;
            fixed (byte* first = text)
            {
                CudnnApi.cudnnBackendGetAttribute(
                        properties, CudnnAttributeName.DevicePropertiesText, CudnnAttributeType.Char, MostBytes, &found, first)
                    .Check("reading cuDNN's device properties");
            }

            return Encoding.UTF8.GetString(text, 0, (int)Math.Clamp(found, 0, MostBytes)).TrimEnd('\0');
        }
        finally
        {
            _ = CudnnApi.cudnnBackendDestroyDescriptor(properties);
        }
    }
}
