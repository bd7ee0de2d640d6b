//! Where keys come from: a terminal, key by key, or anything else, a line each. Both block, so each
//! has a thread of its own, which ends with the process.

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::desk::Event;
use super::keys::Key;

/// Starts to read. Lines wait until they are asked for, so that what is typed ahead meets the lead
/// that it was meant for.
pub(super) fn read(is_screen: bool) -> Receiver<Event> {
    let (sender, receiver) = channel(1);
    std::thread::spawn(move || if is_screen { read_keys(&sender) } else { read_lines(&sender) });
    receiver
}

fn read_keys(sender: &Sender<Event>) {
    loop {
        let event = match crossterm::event::read() {
            Ok(Input::Key(key)) if key.kind != KeyEventKind::Release => match key_of(key) {
                Some(key) => Event::Key(key),
                None => continue,
            },
            // The screen is drawn anew.
            Ok(Input::Resize(..)) => Event::Tick,
            Ok(_) => continue,
            // The terminal is gone.
            Err(_) => return,
        };
        if sender.blocking_send(event).is_err() {
            return;
        }
    }
}

fn key_of(key: KeyEvent) -> Option<Key> {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c' | 'C') if is_control => Some(Key::Interrupt),
        KeyCode::Char(_) if is_control || key.modifiers.contains(KeyModifiers::ALT) => None,
        KeyCode::Char(one) => Some(Key::Char(one)),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Backspace => Some(Key::Backspace),
        KeyCode::Esc => Some(Key::Escape),
        _ => None,
    }
}

fn read_lines(sender: &Sender<Event>) {
    for line in std::io::stdin().lines() {
        let Ok(line) = line else { return };
        if sender.blocking_send(Event::Line(line)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_keys_are_no_letters() {
        let key = |code, modifiers| key_of(KeyEvent::new(code, modifiers));
        let c = KeyCode::Char('c');
        assert_eq!(key(c, KeyModifiers::NONE), Some(Key::Char('c')));
        assert_eq!(key(c, KeyModifiers::CONTROL), Some(Key::Interrupt));
        assert_eq!(key(KeyCode::Char('a'), KeyModifiers::CONTROL), None);
        assert_eq!(key(KeyCode::Char('D'), KeyModifiers::SHIFT), Some(Key::Char('D')));
    }
}
