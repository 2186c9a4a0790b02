using Dataflow.Text.Tokenizers;

namespace Dataflow;

/// <summary>A tokenizer with the file that it is from.</summary>
/// <param name="Tokenizer">The tokenizer.</param>
/// <param name="Path">Its file.</param>
/// <param name="Sha256">Of the file, in hexadecimal digits.</param>
/// <param name="Folder">Its folder.</param>
public sealed record TokenizerFile(TextTokenizer Tokenizer, string Path, string Sha256, string Folder);
