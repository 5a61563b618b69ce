//! Writes the seeds of each target into the corpus folder that is its argument.

use std::path::Path;

use m26_fuzz::pages::{auction, card, object, page, plus, spaced, with};
use m26_fuzz::shown;

const REPLIES: [&str; 7] = [
    r#"{"error":{"component":1,"errorcode":1073807360,"errorname":"ERR_SYSTEM"}}"#,
    r#"{"error":{"errorname":"ERR_TIMEOUT","errortdf":{"errorString":"late"}}}"#,
    r#"{"success":false,"message":"no"}"#,
    r#"{"code":401,"reason":"expired session"}"#,
    "<error><errorcode>404</errorcode><errormessage>not found</errormessage></error>",
    "<!DOCTYPE html><html></html>",
    "\u{feff}[]",
];
const VALUES: [&str; 12] = [
    r#"{"a":[1,-2.5e3,true,false,null,"\u00e9\ud83d\ude00\n"],"b":{"c":{}}}"#,
    r#"{"\u0061":1,"a":2}"#,
    r#"["\u0000","\ud800","\udc00\ud800"]"#,
    "[9223372036854775807,-9223372036854775808,9223372036854775808]",
    "[-0,0.0,1e308,1e400,1e-20000,NaN,Infinity]",
    "[1,]",
    "{\"a\" : \t\r\n1 }",
    "\"\u{1}\"",
    "\"}{][,:\\\\\\\"\"",
    "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
    "1 2",
    "tru",
];

fn main() -> std::io::Result<()> {
    let corpus = std::env::args().nth(1).expect("the corpus folder");
    let one = object(&auction(1));
    let mut pages = vec![
        page(&[]),
        page(std::slice::from_ref(&one)),
        page(&[one.clone(), object(&with(auction(2), "auctionId", "1.5")), one.clone()]),
        page(&[spaced(&with(auction(1), "card", spaced(&card(7))))]),
    ];
    pages.extend(REPLIES.map(|reply| reply.as_bytes().to_vec()));
    pages.extend(VALUES.map(|value| page(&[object(&plus(auction(1), "novelty", value))])));
    for target in ["normalize", "peek", "sanitize"] {
        write(&corpus, target, &pages)?;
    }
    let mut other = shown(5, 7);
    other.truncate(other.len() - 1);
    pages.push(page(&[shown(4, 7), [&other[..], b",\"\\u006ee\":[{}]}"].concat(), shown(6, 8)]));
    write(&corpus, "warm", &pages)?;
    let runs = VALUES.map(|value| [b" ", value.as_bytes(), value.as_bytes()].concat());
    write(&corpus, "scan", &runs)?;
    write(&corpus, "parse", &VALUES.map(|value| value.as_bytes().to_vec()))?;
    let scripts = (0..32_u8).map(|n| vec![n, n.wrapping_mul(37), n % 5, n, n * 3]);
    write(&corpus, "cards", &scripts.collect::<Vec<_>>())?;
    let scripts = (0..64_u8).map(|n| (0..160).map(|m| n.wrapping_mul(m).wrapping_add(m)).collect());
    write(&corpus, "members", &scripts.collect::<Vec<_>>())
}

fn write(corpus: &str, target: &str, seeds: &[Vec<u8>]) -> std::io::Result<()> {
    let folder = Path::new(corpus).join(target);
    std::fs::create_dir_all(&folder)?;
    for (number, seed) in seeds.iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number:02}")), seed)?;
    }
    Ok(())
}
