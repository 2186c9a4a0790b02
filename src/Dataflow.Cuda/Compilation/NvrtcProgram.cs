using System.Text;
using Dataflow.Cuda.Interop;

namespace Dataflow.Cuda;

/// <summary>One source in the compiler.</summary>
internal sealed unsafe class NvrtcProgram : CudaHandle
{
    /// <summary>Hands a source to the compiler with all that it includes; no file is read.</summary>
    /// <param name="name">For messages: "rms_norm.cu".</param>
    /// <param name="source">The text of the .cu file.</param>
    /// <param name="headers">Texts by the names that sources include them by.</param>
    /// <exception cref="MissingLibraryException">There is no NVRTC.</exception>
    public static NvrtcProgram Create(string name, string source, IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        var program = new NvrtcProgram();
        using var texts = new NativeTexts(headers.Select(h => h.Value));
        using var names = new NativeTexts(headers.Select(h => h.Key));
        nint made;
        fixed (byte* sourceText = NativeText.Of(source))
        fixed (byte* nameText = NativeText.Of(name))
        {
            NvrtcApi
                .nvrtcCreateProgram(&made, sourceText, nameText, headers.Count, texts.Pointers, names.Pointers)
                .Check($"handing {name} to NVRTC");
        }

        program.Adopt(made, of: null);
        return program;
    }

    /// <summary>Compiles; whether it went well. The log says what was wrong, and what the assembler has to tell.</summary>
    public bool Compile(IReadOnlyList<string> options, out string log)
    {
        using var texts = new NativeTexts(options);
        var status = NvrtcApi.nvrtcCompileProgram(this, options.Count, texts.Pointers);
        log = Log();
        if (status != NvrtcStatus.Compilation)
        {
            status.Check($"compiling with {string.Join(' ', options)}");
        }

        return status == NvrtcStatus.Success;
    }

    /// <summary>Machine code for one GPU.</summary>
    public byte[] Cubin()
    {
        nuint size;
        NvrtcApi.nvrtcGetCUBINSize(this, &size).Check("asking NVRTC for the size of machine code");
        byte[] image = new byte[size];
        fixed (byte* bytes = image)
        {
            NvrtcApi.nvrtcGetCUBIN(this, bytes).Check("asking NVRTC for machine code");
        }

        return image;
    }

    /// <summary>Text that the driver compiles; without the zero at its end.</summary>
    public byte[] Ptx()
    {
        nuint size;
        NvrtcApi.nvrtcGetPTXSize(this, &size).Check("asking NVRTC for the size of PTX");
        byte[] text = new byte[size];
        fixed (byte* bytes = text)
        {
            NvrtcApi.nvrtcGetPTX(this, bytes).Check("asking NVRTC for PTX");
        }

        return text.AsSpan().TrimEnd((byte)0).ToArray();
    }

    private protected override void Release(nint value) => _ = NvrtcApi.nvrtcDestroyProgram(&value);

    private string Log()
    {
        nuint size;
        NvrtcApi.nvrtcGetProgramLogSize(this, &size).Check("asking NVRTC for the size of its log");
        byte[] text = new byte[Math.Max((int)size, 1)];
        fixed (byte* bytes = text)
        {
            NvrtcApi.nvrtcGetProgramLog(this, bytes).Check("asking NVRTC for its log");
        }

        return Encoding.UTF8.GetString(text.AsSpan().TrimEnd((byte)0)).Trim();
    }
}
