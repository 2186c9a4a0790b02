using System.IO.Hashing;
using System.Text;

namespace Dataflow.Corpora;

/// <summary>Short names of long texts.</summary>
internal static class Fingerprints
{
    /// <summary>XXH128 of a text in UTF-8, as hexadecimal digits.</summary>
    public static string Of(string text) => Convert.ToHexStringLower(XxHash128.Hash(System.Text.Encoding.UTF8.GetBytes(text)));
}
