using System.Runtime.InteropServices;
using System.Text;

namespace Dataflow.Cuda.Interop;

/// <summary>Texts as C has them: UTF-8 with a zero at the end.</summary>
internal static unsafe class NativeText
{
    public static byte[] Of(string text)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(text) + 1];
        _ = Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }

    public static string Read(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";
}
